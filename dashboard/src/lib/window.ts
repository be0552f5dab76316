// Which rows of a long list are near enough to be drawn. Every row has the same height.

export interface Span {
  first: number;
  last: number;
}

const BEYOND = 8;

export function visible(rows: number, rowHeight: number, top: number, height: number): Span {
  const first = Math.max(0, Math.floor(top / rowHeight) - BEYOND);
  const last = Math.min(rows, Math.ceil((top + height) / rowHeight) + BEYOND);
  return { first: Math.min(first, rows), last: Math.max(last, 0) };
}
