// What of a result is compared.

/** Different in every run or on every machine. */
const volatile = new Set([
  ...['start', 'end', 'delta', 'atime', 'mtime', 'ctime', 'inode', 'dev', 'block_size', 'blocks', 'nlink'],
  ...['device_type', 'version', 'elapsed', 'src', 'backup', 'backup_file', 'invocation'],
])
/** Notes for the reader, in each program's own words. */
const notes = new Set(['warnings', 'deprecations', 'exception', 'module_stdout', 'module_stderr', 'diff'])

/** In one program only, and said so in docs/differences.md. */
const onlyOne = new Set(['false_condition', 'include_args', 'include_role', 'include'])

const isOwn = (name: string): boolean => name.startsWith('_ansible') || name.startsWith('ansible_delegated')

/** Modules whose message on failure is the playbook's own; the others' is the program's. */
const speaksForPlaybook = /(^|\.)(fail|assert)$/

export function comparable(
  action: string,
  status: string,
  result: unknown,
): Readonly<Record<string, unknown>> {
  // ansible-core's callbacks do not get these two, though what is registered has them: `status` says the same.
  const { failed: _failed, skipped: _skipped, ...kept } = keep(result) as Record<string, unknown>
  if (status === 'ok' || status === 'changed' || speaksForPlaybook.test(action)) return kept
  const { msg: _, ...others } = kept
  return others
}

function keep(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(keep)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(
    ([name]) => !volatile.has(name) && !notes.has(name) && !onlyOne.has(name) && !isOwn(name),
  )
  const members = Object.fromEntries(entries.map(([name, member]) => [name, keep(member)]))
  // An item that failed says why in its program's own words.
  if (members['failed'] === true && 'ansible_loop_var' in members) delete members['msg']
  return members
}
