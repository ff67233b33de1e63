/** The value of a name defined earlier in the file; undefined: it is not, or that value is not known itself. */
export type Lookup = (name: string) => string | undefined
export type Expanded = { readonly value: string } | { readonly value: undefined; readonly why: string }

const reference = /\$(?:(\$)|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-+?])([^{}]*))?\}|)/g

/**
 * compose's interpolation: `$$`, `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:+other}`. A name that the file does not
 * define comes from the environment of whoever starts compose, so the value is not known here.
 */
export function expandDollars(text: string, lookup: Lookup): Expanded {
  let why: string | undefined
  const value = text.replace(
    reference,
    (whole, twice?: string, plain?: string, braced?: string, operator?: string, word = '') => {
      if (twice) return '$'
      const name = plain ?? braced
      if (name === undefined) {
        why ??= 'it has a $ that begins no variable'
        return whole
      }
      const found = lookup(name)
      if (found === undefined) why ??= `it depends on $${name}, which the file does not define before it`
      return substitute(found ?? '', operator, word)
    },
  )
  return why === undefined ? { value } : { value: undefined, why }
}

function substitute(found: string, operator: string | undefined, word: string): string {
  if (operator === ':-' && found === '') return word
  if (operator === '+' || (operator === ':+' && found !== '')) return word
  return operator === ':+' ? '' : found
}
