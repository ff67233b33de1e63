const unitMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** `90d`, `72h`, `30m`, `10s`, `2w` or `0`, in milliseconds. Undefined for anything else: a number alone says no unit. */
export function parseDurationMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhdw]?)$/.exec(text.trim()) ?? []
  if (count === undefined) return undefined
  if (unit === '' || unit === undefined) return Number(count) === 0 ? 0 : undefined
  return Number(count) * unitMs[unit]!
}
