import { useEffect, useLayoutEffect, useRef, useState } from 'react';

/** Closer to the end than this counts as being at the end. */
const NEAR = 80;
/** Older messages are asked for this far from the top. */
const AHEAD = 500;

/**
 * Keeps the list where the reader is: at the end it follows new messages and growing images; elsewhere it stays put,
 * also when older messages come in above. `below` says that there is something to scroll down to.
 */
export function useScroll(first: string | undefined, count: number, own: boolean, older: () => void) {
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const stuck = useRef(true);
  const known = useRef({ first, count, height: 0 });
  const [below, setBelow] = useState<false | 'far' | 'new'>(false);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const before = known.current;
    if (before.first !== undefined && first !== before.first && count > before.count) {
      element.scrollTop += element.scrollHeight - before.height;
    } else if (stuck.current || (own && count > before.count)) {
      stuck.current = true;
      element.scrollTop = element.scrollHeight;
    } else if (count > before.count) {
      setBelow('new');
    }
    known.current = { first, count, height: element.scrollHeight };
  }, [first, count, own]);

  const shown = count > 0;
  useEffect(() => {
    const element = box.current;
    const inner = content.current;
    if (!shown || !element || !inner) return;
    const watch = new ResizeObserver(() => {
      if (stuck.current) element.scrollTop = element.scrollHeight;
      known.current.height = element.scrollHeight;
    });
    watch.observe(inner);
    watch.observe(element);
    return () => watch.disconnect();
  }, [shown]);

  const onScroll = () => {
    const element = box.current;
    if (!element) return;
    const left = element.scrollHeight - element.scrollTop - element.clientHeight;
    stuck.current = left < NEAR;
    if (stuck.current) setBelow(false);
    else if (left > element.clientHeight) setBelow((now) => now || 'far');
    if (element.scrollTop < AHEAD) older();
  };

  const follow = () => {
    const element = box.current;
    element?.scrollTo({ top: element.scrollHeight, behavior: 'smooth' });
  };

  return { box, content, below, follow, onScroll };
}
