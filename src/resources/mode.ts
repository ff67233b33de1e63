import { problem } from '../core/error.ts'

/** The mask that sessions run with: what a new file or directory does not get when no mode is asked for. */
const UMASK = 0o022
export const NEW_FILE = 0o666 & ~UMASK
export const NEW_DIRECTORY = 0o777 & ~UMASK

type Class = 'u' | 'g' | 'o'
const shifts: Readonly<Record<Class, number>> = { u: 6, g: 3, o: 0 }
/** What `=` clears: the class's own bits and its set-id or sticky bit. */
const masks: Readonly<Record<Class, number>> = { u: 0o4700, g: 0o2070, o: 0o1007 }
const special: Readonly<Record<Class, string>> = { u: 's', g: 's', o: 't' }
const letters: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 }

/** '0644' of permission bits, with the set-id and sticky bits in front. */
export function renderMode(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0')
}

/**
 * The mode that `text` asks for where the mode is `now`: octal digits, or symbolic clauses as in chmod(1); as in
 * Ansible `=` without a class clears all bits and sets those that the umask leaves. Throws E_PARAMS for anything else.
 */
export function wantMode(text: string, now: number, isDirectory: boolean): number {
  const octal = /^(?:0o)?([0-7]{1,5})$/.exec(text)
  if (octal) return Number.parseInt(octal[1]!, 8) & 0o7777
  return text.split(',').reduce((mode, clause) => applyClause(clause, text, mode, now, isDirectory), now)
}

function applyClause(clause: string, text: string, start: number, now: number, isDirectory: boolean): number {
  const parsed = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause)
  if (parsed === null)
    throw problem('E_PARAMS', `mode ${JSON.stringify(text)} is neither octal digits nor symbolic`, {
      hint: "write a mode as '0644' or 'u=rw,g=r,o='",
    })
  const [, who, actions] = parsed
  let mode = start
  for (const [, operator, what] of actions!.matchAll(/([-+=])([rwxXstugo]*)/g))
    for (const name of classesOf(who!)) {
      const set = bitsOf(name, what!, now, isDirectory, who === '' ? UMASK : 0)
      if (operator === '+') mode |= set
      else if (operator === '-') mode &= ~set
      else mode = (mode & ~masks[name]) | set
    }
  return mode
}

function classesOf(who: string): readonly Class[] {
  return who === '' || who.includes('a') ? ['u', 'g', 'o'] : ([...who] as Class[])
}

/** The bits that letters stand for in one class: `rwX`, `s`, `t`, or another class's letter for its bits as they were. */
function bitsOf(name: Class, what: string, before: number, isDirectory: boolean, umask: number): number {
  let bits = 0
  for (const letter of what) {
    if (letter in shifts) bits |= ((before >> shifts[letter as Class]) & 7) << shifts[name]
    else if (letter === 'X') bits |= isDirectory || (before & 0o111) !== 0 ? 1 << shifts[name] : 0
    else if (letter === special[name]) bits |= masks[name] & 0o7000
    else bits |= ((letters[letter] ?? 0) << shifts[name]) & ~umask
  }
  return bits
}
