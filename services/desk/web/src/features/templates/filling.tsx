import { Button, TextInput } from '@mantine/core';
import { CornerUpLeft, ExternalLink, Phone, SendHorizontal } from 'lucide-react';
import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { Conversation, Template } from '@/api/types';
import { useWords } from '@/i18n';
import { useDesk } from '@/store/desk';
import { Keys } from '@/ui/keys';
import { type Flaw, filled, flawOf, isTooLong, LONGEST_BODY, linksOf, piecesOf } from './fill';
import classes from './templates.module.css';

interface Props {
  template: Template;
  conversation: Conversation;
  /** How often it was chosen: each time the first value gets the focus. */
  chosen: number;
  deliver: (params: string[]) => void;
}

/** A template as the contact will read it, and its values. */
export function Filling({ template, conversation, chosen, deliver }: Props) {
  const { t } = useWords();
  const form = useRef<HTMLFormElement>(null);
  const [values, setValues] = useState<string[]>(() => Array.from({ length: template.places }, () => ''));
  const [tried, setTried] = useState(false);
  const flaws = values.map(flawOf);
  const long = isTooLong(template, values);

  const fields = () => [...(form.current?.querySelectorAll<HTMLInputElement>('input') ?? [])];
  useEffect(() => {
    if (chosen === 0) return;
    const inside = form.current;
    (inside?.querySelector<HTMLElement>('input') ?? inside?.querySelector<HTMLElement>('[type=submit]'))?.focus();
  }, [chosen]);

  const submit = () => {
    setTried(true);
    const wrong = flaws.findIndex((flaw) => flaw !== null);
    if (wrong === -1 && !long) deliver(values.map((value) => value.trim()));
    else fields()[Math.max(0, wrong)]?.focus();
  };
  const press = (event: KeyboardEvent, index: number) => {
    if (event.key !== 'Enter' || event.nativeEvent.isComposing) return;
    event.preventDefault();
    const next = fields()[index + 1];
    if (next && !event.ctrlKey && !event.metaKey) next.focus();
    else submit();
  };
  const change = (index: number, value: string) =>
    setValues((all) => all.map((one, at) => (at === index ? value : one)));

  return (
    <form
      ref={form}
      className={classes.filling}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
      noValidate
    >
      <Preview template={template} values={values} />
      <div className={classes.values}>
        {values.map((value, index) => (
          <Value
            // biome-ignore lint/suspicious/noArrayIndexKey: a value is its place
            key={index}
            label={labelOf(template, index, t('template.value', { place: index + 1 }))}
            value={value}
            flaw={tried ? (flaws[index] ?? null) : flaws[index] === 'spaced' ? 'spaced' : null}
            conversation={conversation}
            change={(next) => change(index, next)}
            press={(event) => press(event, index)}
          />
        ))}
        {values.length === 0 && <p className={classes.plain}>{t('template.plain')}</p>}
        {long && (
          <p className={classes.flaw} role="alert">
            {t('template.long', { count: [...filled(template.body, values)].length, limit: LONGEST_BODY })}
          </p>
        )}
      </div>
      <div className={classes.end}>
        <span className={classes.keys}>
          <Keys of="Ctrl+Enter" />
        </span>
        <Button type="submit" rightSection={<SendHorizontal size={16} aria-hidden />} data-testid="template-send">
          {t('template.send')}
        </Button>
      </div>
    </form>
  );
}

/** A value of the body is known by its number, one of a link by the button's label. */
function labelOf(template: Template, index: number, numbered: string): string {
  const button = linksOf(template)[index - template.body_places];
  return index < template.body_places || !button ? numbered : `${button.label} (${button.target ?? ''})`;
}

interface ValueProps {
  label: string;
  value: string;
  flaw: Flaw | null;
  conversation: Conversation;
  change: (value: string) => void;
  press: (event: KeyboardEvent) => void;
}

function Value({ label, value, flaw, conversation, change, press }: ValueProps) {
  const { t } = useWords();
  const me = useDesk((state) => state.me?.user.name ?? '');
  const [open, setOpen] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const known = [conversation.contact.name ?? '', me].filter((name) => name !== '');
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: only notes whether the focus is inside
    <div onFocus={() => setOpen(true)} onBlur={(event) => setOpen(event.currentTarget.contains(event.relatedTarget))}>
      <TextInput
        ref={field}
        label={label}
        value={value}
        onChange={(event) => change(event.currentTarget.value)}
        onKeyDown={press}
        error={flaw ? t(`template.${flaw}`) : undefined}
        autoComplete="off"
        data-testid="template-value"
      />
      {open && value === '' && known.length > 0 && (
        <div className={classes.known}>
          {known.map((name) => (
            <button
              key={name}
              type="button"
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => {
                change(name);
                field.current?.focus();
              }}
            >
              {name}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

const ICONS = { reply: CornerUpLeft, link: ExternalLink, call: Phone } as const;

/** The message as it will stand on the contact's phone; places without a value stay in sight. */
function Preview({ template, values }: { template: Template; values: string[] }) {
  const { t } = useWords();
  return (
    <section
      className={classes.canvas}
      aria-label={t('template.preview')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a long one is scrolled by keyboard too
      tabIndex={0}
      data-testid="template-preview"
    >
      <div className={classes.bubble}>
        {template.header && <strong>{template.header}</strong>}
        <p>
          {piecesOf(template.body, values).map((piece, index) =>
            piece.kind === 'words' ? (
              piece.text
            ) : (
              <mark
                // biome-ignore lint/suspicious/noArrayIndexKey: pieces never move
                key={index}
                data-filled={piece.value !== '' || undefined}
              >
                {piece.value === '' ? `{{${piece.place}}}` : piece.value}
              </mark>
            ),
          )}
        </p>
        {template.footer && <small>{template.footer}</small>}
      </div>
      {template.buttons.length > 0 && (
        <ul className={classes.buttons} aria-label={t('choices.options')}>
          {template.buttons.map((button) => {
            const Icon = ICONS[button.action];
            return (
              <li key={button.label}>
                <Icon size={14} aria-hidden /> {button.label}
              </li>
            );
          })}
        </ul>
      )}
    </section>
  );
}
