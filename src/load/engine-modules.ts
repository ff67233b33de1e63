import type { Params } from '../core/params.ts'
import type { Signature } from './params.ts'

const apply = { type: 'dict', doc: 'Keywords for every task in it.' } as const
const file = { type: 'path', required: true, doc: 'The file of tasks.' } as const
const role: Params = {
  name: { type: 'string', required: true, aliases: ['role'], doc: 'The role.' },
  tasks_from: { type: 'string', default: 'main', doc: 'File in tasks/.' },
  vars_from: { type: 'string', default: 'main', doc: 'File in vars/.' },
  defaults_from: { type: 'string', default: 'main', doc: 'File in defaults/.' },
  handlers_from: { type: 'string', default: 'main', doc: 'File in handlers/.' },
  allow_duplicates: { type: 'bool', default: true, doc: 'Run it again when it has run before.' },
  rolespec_validate: { type: 'bool', default: true, doc: 'Check its arguments.' },
  public: { type: 'bool', default: false, doc: 'Its variables stay for later tasks.' },
  apply,
}

const { apply: _1, public: _2, ...importedRole } = role

const signatures: readonly Signature[] = [
  { name: 'include_tasks', freeForm: 'file', params: { file, apply } },
  { name: 'import_tasks', freeForm: 'file', params: { file } },
  {
    name: 'include',
    freeForm: 'file',
    params: { file },
    otherParams: { type: 'any', doc: 'A variable for the tasks.' },
  },
  { name: 'include_role', params: role },
  { name: 'import_role', params: importedRole },
  {
    name: 'include_vars',
    freeForm: 'file',
    params: {
      file: { type: 'path', doc: 'The file of variables.' },
      dir: { type: 'path', doc: 'A folder of such files.' },
      name: { type: 'string', doc: 'The variable that gets all of them; without it each is a variable.' },
      depth: { type: 'int', default: 0, doc: 'How deep to go into the folder; 0: to the bottom.' },
      files_matching: { type: 'string', doc: 'Regular expression of the file names.' },
      ignore_files: { type: 'list', doc: 'File names to leave out.' },
      extensions: { type: 'list', default: ['yaml', 'yml', 'json'], doc: 'Endings of the file names.' },
      ignore_unknown_extensions: { type: 'bool', default: false, doc: 'Leave out files with other endings.' },
      hash_behaviour: { type: 'string', choices: ['replace', 'merge'], doc: 'How to combine mappings.' },
    },
    rules: { mutuallyExclusive: [['file', 'dir']], requiredOneOf: [['file', 'dir']] },
  },
  {
    name: 'meta',
    freeForm: 'free_form',
    params: {
      free_form: {
        type: 'string',
        required: true,
        doc: 'What the engine is to do.',
        choices: [
          'flush_handlers',
          'noop',
          'end_play',
          'end_host',
          'end_batch',
          'clear_host_errors',
          'clear_facts',
          'reset_connection',
          'refresh_inventory',
        ],
      },
    },
  },
  {
    name: 'add_host',
    params: {
      name: { type: 'string', required: true, aliases: ['host', 'hostname'], doc: 'The host.' },
      groups: { type: 'list', aliases: ['group', 'groupname'], doc: 'Groups it joins.' },
    },
    otherParams: { type: 'any', doc: 'A variable of the host.' },
  },
  {
    name: 'group_by',
    params: {
      key: { type: 'string', required: true, doc: 'The group.' },
      parents: { type: 'list', default: ['all'], doc: 'Groups above it.' },
    },
  },
]

/**
 * What the engine itself does when a task names it: options are checked as a module's. A registry that has a module of the
 * same name wins.
 */
export const engineModules: ReadonlyMap<string, Signature> = new Map(
  signatures.map(signature => [signature.name, signature]),
)

/** `ansible.builtin.copy` to `copy`. */
export function shortName(name: string): string {
  return name.replace(/^ansible\.(?:builtin|legacy)\./, '')
}
