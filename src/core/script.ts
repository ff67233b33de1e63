import { createHash } from 'node:crypto'

/** POSIX sh text that is constant: known by its hash, sent to a session once, and never built from data. */
export interface Script {
  readonly text: string
  readonly sha256: string
}

const made = new WeakMap<TemplateStringsArray, Script>()

/**
 * The only maker of a Script. It takes no substitutions, so data can never become code; parameters reach the
 * script as shell variables `$p_NAME` (see remote.ts). Inside the literal write `\${x}` for `${x}` and `` \` `` for a backtick;
 * every other backslash stands for itself.
 */
export function sh(strings: TemplateStringsArray): Script {
  let script = made.get(strings)
  if (script === undefined) {
    const text = strings.raw[0]!.replaceAll('\\${', '${').replaceAll('\\`', '`')
    script = Object.freeze({ text, sha256: createHash('sha256').update(text).digest('hex') })
    made.set(strings, script)
  }
  return script
}

/** Several scripts one after the other: functions that more than one script uses stand in one place. Data still cannot get in. */
export function joinScripts(...scripts: readonly Script[]): Script {
  const text = scripts.map(script => script.text).join('\n')
  return Object.freeze({ text, sha256: createHash('sha256').update(text).digest('hex') })
}
