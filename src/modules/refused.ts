/** Options of Ansible's module that a module does not have, parted by blanks, all for the same reason. */
export function refuseAll(hint: string, names: string): Readonly<Record<string, string>> {
  return Object.fromEntries(names.split(' ').map(name => [name, hint]))
}
