import { Kbd } from '@mantine/core';
import { Fragment, type ReactNode } from 'react';

/** `Ctrl+K` as keys. */
export function Keys({ of }: { of: string }) {
  return (
    <span style={{ display: 'inline-flex', gap: 4, alignItems: 'center' }}>
      {of.split('+').map((key) => (
        <Kbd key={key} size="xs">
          {key}
        </Kbd>
      ))}
    </span>
  );
}

/** Puts nodes where a translated sentence has its `{names}`. */
export function Sentence({ text, parts }: { text: string; parts: Record<string, ReactNode> }) {
  return (
    <>
      {text.split(/(\{\w+\})/).map((piece) => {
        const name = /^\{(\w+)\}$/.exec(piece)?.[1];
        return <Fragment key={piece}>{name ? parts[name] : piece}</Fragment>;
      })}
    </>
  );
}
