/** `ansible.builtin.copy` and `ansible.legacy.copy` are `copy`. */
export function shortName(name: string): string {
  return name.replace(/^ansible\.(builtin|legacy)\./, '')
}
