import { renderForms } from './encodings.ts'
import { quoteRegex } from './glob.ts'
import { reveal, type Secret } from './secret.ts'

/** Text that has been through a Redactor. Events accept nothing else from a target. */
export type Clean = string & { readonly __clean: unique symbol }

/** Knows every secret of a run in every encoding it may come back in, and takes them out of text. */
export interface Redactor {
  /** Makes a secret known. Values under 4 characters are ignored: redacting them would blank ordinary text. */
  add(secret: Secret): void
  clean(text: string): Clean
  /** The same over chunks: a secret cut in two by a chunk border is still found. Call `end` for the rest. */
  stream(): { push(chunk: string): Clean; end(): Clean }
}

const SHORTEST = 4

/** What is taken out: the forms of a value, and of a text of several lines also each longer line. */
function forms(value: string): string[] {
  const lines = value.includes('\n') ? value.split('\n').map(line => line.trimEnd()) : []
  return [...renderForms(value).map(({ text }) => text), ...lines.filter(line => line.length >= 8)].filter(
    form => form.length >= SHORTEST,
  )
}
/** Whether a longer one of the sorted forms begins with the text: the first form that is not before it would. */
function isBeginning(sorted: readonly string[], text: string): boolean {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! <= text) low = middle + 1
    else high = middle
  }
  return sorted[low]?.startsWith(text) ?? false
}

/** Makes an empty redactor. Cost of `clean`: one pass of one regular expression over all known forms. */
export function createRedactor(): Redactor {
  const known = new Map<string, string>()
  let pattern: RegExp | undefined
  let sorted: readonly string[] = []
  let longest = 0

  const matcher = (): RegExp | undefined => {
    if (pattern === undefined && known.size > 0) {
      const all = [...known.keys()].sort((a, b) => b.length - a.length)
      pattern = new RegExp(all.map(quoteRegex).join('|'), 'g')
      longest = all[0]!.length
      sorted = [...all].sort()
    }
    return pattern
  }
  const clean = (text: string): Clean => {
    const find = matcher()
    return (find ? text.replace(find, form => known.get(form)!) : text) as Clean
  }

  return {
    add(secret) {
      const value = reveal(secret)
      if (value.length < SHORTEST) return
      for (const form of forms(value))
        if (!known.has(form)) {
          known.set(form, `[secret ${secret.label}]`)
          pattern = undefined
        }
    },
    clean,
    stream() {
      let held = ''
      return {
        push(chunk) {
          const find = matcher()
          const text = held + chunk
          if (!find) return text as Clean
          // Hold back what could be the start of a secret; a match that begins before that stays whole.
          let cut = Math.max(0, text.length - (longest - 1))
          while (cut < text.length && !isBeginning(sorted, text.slice(cut))) cut++
          for (const match of text.matchAll(find))
            if (match.index < cut && match.index + match[0].length > cut) cut = match.index + match[0].length
          held = text.slice(cut)
          return clean(text.slice(0, cut))
        },
        end() {
          const rest = clean(held)
          held = ''
          return rest
        },
      }
    },
  }
}
