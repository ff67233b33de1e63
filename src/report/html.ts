import { renderSafe } from './safe-text.ts'

/** Text that is markup already. */
export class Html {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

type Part = string | number | undefined | Html | readonly Part[]

/** Markup with values in it: every value is escaped, unless it is Html itself. The only door to a page, so nothing a host says can be markup. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  const text = strings.flatMap((string, index) => [string, index < parts.length ? render(parts[index]) : ''])
  return new Html(text.join(''))
}

function render(part: Part): string {
  if (part === undefined) return ''
  if (part instanceof Html) return part.text
  return typeof part === 'object' ? part.map(render).join('') : escapeText(String(part))
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const COLOUR = /\p{Cc}\[[0-9;]*m/gu

/** A page has no colours of a terminal; other control characters and marks of direction are shown, as there. */
function escapeText(text: string): string {
  return renderSafe(text.replace(COLOUR, '')).replace(/[&<>"']/g, char => entities[char]!)
}
