// Pictures for the tests, made on the spot: a PNG of a sunset over water, in the colours that one asks for.
import { crc32, deflateSync } from "node:zlib";

const chunk = (type, data) => {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(8 + data.length + 4);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), framed.length - 4);
  return framed;
};

/** `paint(x, y)` answers [red, green, blue], each 0 to 255. */
export function png(width, height, paint) {
  const rows = Buffer.alloc(height * (1 + width * 3));
  for (let y = 0, at = 0; y < height; y += 1) {
    at += 1;
    for (let x = 0; x < width; x += 1) for (const value of paint(x, y)) rows[at++] = Math.max(0, Math.min(255, Math.round(value)));
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);

export function sunset(width = 480, height = 320, sky = [[255, 217, 168], [232, 96, 104]], sea = [11, 122, 117]) {
  const horizon = height * 0.62;
  return png(width, height, (x, y) => {
    const sun = Math.hypot(x - width / 2, y - horizon) < height * 0.2;
    if (y < horizon) return sun ? [255, 241, 214] : mix(sky[0], sky[1], y / horizon);
    const wave = Math.sin(x / 23 + y / 5) * 12 + Math.sin(x / 11 - y / 9) * 6;
    return mix(sea, [6, 60, 72], (y - horizon) / (height - horizon)).map((value) => value + wave);
  });
}
