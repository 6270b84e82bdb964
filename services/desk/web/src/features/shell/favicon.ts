let wanted = 0;

/** Draws the number of unread messages on the tab's icon; none restores it. */
export function badgeFavicon(count: number): void {
  const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  wanted = count;
  if (!link) return;
  if (count === 0) {
    link.href = '/favicon.svg';
    return;
  }
  const mark = new Image();
  mark.onload = () => {
    const canvas = document.createElement('canvas');
    canvas.width = 64;
    canvas.height = 64;
    const pen = canvas.getContext('2d');
    if (!pen || wanted !== count) return;
    pen.drawImage(mark, 0, 0, 64, 64);
    pen.fillStyle = '#c8372d';
    pen.beginPath();
    pen.arc(44, 20, 20, 0, 2 * Math.PI);
    pen.fill();
    pen.fillStyle = '#fff';
    pen.font = '700 28px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.textBaseline = 'middle';
    pen.fillText(count > 9 ? '9+' : String(count), 44, 22);
    link.href = canvas.toDataURL('image/png');
  };
  mark.src = '/favicon.svg';
}
