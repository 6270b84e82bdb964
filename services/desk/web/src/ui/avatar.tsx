import { UserRound } from 'lucide-react';
import classes from './avatar.module.css';
import { ChannelMark } from './channel';

/** Stable and calm: the same person has the same hue everywhere. */
function hueOf(text: string): number {
  let hash = 0;
  for (const character of text) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 360;
  return hash;
}

export function initialsOf(name: string): string {
  const words = name.split(/\s+/).filter((word) => /^\p{L}/u.test(word));
  const first = words[0]?.[0] ?? '';
  const last = words.length > 1 ? (words[words.length - 1]?.[0] ?? '') : '';
  return (first + last).toUpperCase();
}

interface Props {
  name: string;
  channel?: string;
  size?: number;
}

export function Avatar({ name, channel, size = 36 }: Props) {
  const initials = initialsOf(name);
  return (
    <span
      className={classes.avatar}
      style={{ '--hue': hueOf(name), width: size, height: size, fontSize: size * 0.37 } as React.CSSProperties}
      aria-hidden
    >
      {initials || <UserRound size={size * 0.52} />}
      {channel && (
        <span className={classes.mark}>
          <ChannelMark channel={channel} size={Math.max(12, size * 0.34)} />
        </span>
      )}
    </span>
  );
}
