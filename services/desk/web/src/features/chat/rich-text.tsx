import classes from './content.module.css';

const LINK = /\b(https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}])/giu;

export interface Piece {
  text: string;
  link: boolean;
  at: number;
}

/** Cuts a text at its links. Only http and https: nothing else that a customer writes becomes clickable. */
export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let end = 0;
  for (const match of text.matchAll(LINK)) {
    if (match.index > end) found.push({ text: text.slice(end, match.index), link: false, at: end });
    found.push({ text: match[0], link: true, at: match.index });
    end = match.index + match[0].length;
  }
  if (end < text.length) found.push({ text: text.slice(end), link: false, at: end });
  return found;
}

/** Emoji alone, and few of them, are drawn large. */
const EMOJI_ONLY =
  /^(?:\p{Extended_Pictographic}(?:\uFE0F|\p{Emoji_Modifier}|\u200D\p{Extended_Pictographic})*\s*){1,3}$/u;

export function RichText({ text }: { text: string }) {
  return (
    <p className={classes.text} dir="auto" data-large={EMOJI_ONLY.test(text) || undefined}>
      {pieces(text).map((piece) =>
        piece.link ? (
          <a key={piece.at} href={piece.text} target="_blank" rel="noopener noreferrer nofollow">
            {piece.text}
          </a>
        ) : (
          piece.text
        ),
      )}
    </p>
  );
}
