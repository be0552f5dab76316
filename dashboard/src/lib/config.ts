// The configuration in force as lines that can be read, folded and searched.

export interface ConfigLine {
  depth: number;
  /** Empty in lists. */
  name: string;
  /** Null where more lines follow below it. */
  value: string | null;
  inList: boolean;
  /** All names that lead to it, for searching. */
  path: string;
}

const isBranch = (value: unknown): value is Record<string, unknown> | unknown[] =>
  value !== null && typeof value === "object" && Object.keys(value).length > 0;

/** As a configuration file would say it, in the order of the server. */
export function configLines(value: unknown, depth = 0, path = ""): ConfigLine[] {
  if (!isBranch(value)) return [];
  const inList = Array.isArray(value);
  return Object.entries(value).flatMap(([key, one]) => {
    const name = inList ? "" : key;
    const below = `${path} ${key}`;
    if (!isBranch(one)) return [{ depth, name, value: scalar(one), inList, path: below }];
    return [{ depth, name, value: null, inList, path: below }, ...configLines(one, depth + 1, below)];
  });
}

function scalar(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "string") return value === "" ? '""' : value;
  return JSON.stringify(value);
}

/** The lines that hold all words, in their own text or in what leads to them, with the lines above that name them. */
export function sought(lines: readonly ConfigLine[], text: string): ConfigLine[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [...lines];
  const kept = new Set<ConfigLine>();
  const above: ConfigLine[] = [];
  for (const line of lines) {
    above.length = line.depth;
    above[line.depth] = line;
    const said = `${line.path} ${line.value ?? ""}`.toLowerCase();
    if (words.every((word) => said.includes(word))) for (const one of above) kept.add(one);
  }
  return lines.filter((line) => kept.has(line));
}
