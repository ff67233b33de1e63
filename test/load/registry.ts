// A small registry for the loader's tests: the shapes of modules, without what they do.
import type { Module, Registry } from '../../src/core/module.ts'
import type { Params } from '../../src/core/params.ts'

const mode = { type: 'mode', doc: 'Mode.' } as const
const signatures: readonly (Partial<Module> & { name: string; params: Params })[] = [
  {
    name: 'copy',
    kind: 'state',
    params: {
      src: { type: 'path', doc: 'Local file.' },
      content: { type: 'text', doc: 'Text.' },
      dest: { type: 'path', required: true, aliases: ['path'], doc: 'Remote file.' },
      backup: { type: 'bool', default: false, doc: 'Keep the old file.' },
      owner: { type: 'string', doc: 'Owner.' },
      mode,
    },
    rules: { mutuallyExclusive: [['src', 'content']], requiredOneOf: [['src', 'content']] },
  },
  {
    name: 'file',
    kind: 'state',
    params: {
      path: { type: 'path', required: true, aliases: ['dest', 'name'], doc: 'Path.' },
      state: { type: 'string', choices: ['absent', 'directory', 'file', 'link', 'touch'], doc: 'State.' },
      src: { type: 'path', doc: 'Target of a link.' },
      mode,
    },
    rules: { requiredIf: [['state', 'link', ['src']]] },
  },
  {
    name: 'command',
    kind: 'action',
    freeForm: 'cmd',
    params: {
      cmd: { type: 'string', doc: 'Command.' },
      argv: { type: 'list', doc: 'Words.' },
      chdir: { type: 'path', doc: 'Folder.' },
      creates: { type: 'path', doc: 'File.' },
    },
    rules: { mutuallyExclusive: [['cmd', 'argv']], requiredOneOf: [['cmd', 'argv']] },
  },
  {
    name: 'debug',
    kind: 'action',
    freeForm: 'msg',
    params: {
      msg: { type: 'any', default: 'Hello world!', doc: 'Text.' },
      var: { type: 'expression', doc: 'Variable.' },
      verbosity: { type: 'int', default: 0, doc: 'From how many -v on.' },
    },
  },
  {
    name: 'wait_for',
    kind: 'action',
    params: {
      host: { type: 'string', default: '127.0.0.1', doc: 'Host.' },
      port: { type: 'int', doc: 'Port.' },
      timeout: { type: 'float', default: 300, doc: 'Seconds.' },
    },
  },
  {
    name: 'set_fact',
    kind: 'action',
    params: { cacheable: { type: 'bool', default: false, doc: 'Nothing.' } },
    otherParams: { type: 'any', doc: 'A variable.' },
  },
  {
    name: 'postgresql_user',
    kind: 'state',
    params: {
      name: { type: 'string', required: true, doc: 'Role.' },
      password: { type: 'secret', doc: 'Password.' },
      groups: { type: 'list', doc: 'Groups.' },
      extra: { type: 'dict', doc: 'More.' },
    },
  },
]

const modules = new Map(
  signatures.map(signature => [
    signature.name,
    { summary: '', returns: {}, examples: '', ...signature } as unknown as Module,
  ]),
)
export const registry: Registry = {
  get: name => modules.get(name.replace(/^ansible\.builtin\./, '')),
  names: () => [...modules.keys()],
}
