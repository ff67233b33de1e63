/**
 * Whether `--tags` and `--skip-tags` want a task with these tags. Ansible's rules: `always` and `never` are themselves tags that
 * change the answer; `tagged`, `untagged` and `all` stand for tasks with any, no, whatever tags.
 */
export function isSelectedByTags(
  own: readonly string[],
  only: readonly string[],
  skip: readonly string[],
): boolean {
  const tags = own.length > 0 ? own : ['untagged']
  const isTagged = own.length > 0
  const has = (tag: string): boolean => tags.includes(tag)
  const isWanted =
    has('always') ||
    (only.includes('all') && !has('never')) ||
    (only.includes('tagged') && isTagged && !has('never')) ||
    only.some(has)
  if (!isWanted || skip.length === 0) return isWanted
  if (skip.includes('all')) return has('always') && !skip.includes('always')
  return !skip.some(has) && !(skip.includes('tagged') && isTagged)
}
