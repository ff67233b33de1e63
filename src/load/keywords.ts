import type { ShapeName } from './keyword-types.ts'

/** A keyword of plays, blocks or tasks. Null as its value is the same as leaving it out. */
export interface Keyword {
  readonly shape: ShapeName
  readonly doc: string
  readonly required?: true
}
type Keywords = Readonly<Record<string, Keyword>>
const key = (shape: ShapeName, doc: string): Keyword => ({ shape, doc })

const common = {
  name: key('text', 'What it is for; shown while it runs.'),
  vars: key('vars', 'Variables.'),
  environment: key('dicts', 'Environment of the programs that the modules start.'),
  become: key('bool', 'Become another user.'),
  become_user: key('text', 'The user to become; root by default.'),
  become_method: key('text', 'sudo, su or doas.'),
  connection: key('text', 'How the host is reached: ssh, openssh, local or docker.'),
  remote_user: key('text', 'The user to log in as.'),
  port: key('int', 'The port of sshd.'),
  no_log: key('bool', 'Show no arguments and no results.'),
  check_mode: key('bool', 'Always or never only say what would change.'),
  diff: key('bool', 'Show what changes.'),
  ignore_errors: key('bool', 'Go on after a failure.'),
  ignore_unreachable: key('bool', 'Go on when the host cannot be reached.'),
  any_errors_fatal: key('bool', 'A failure on one host ends the play on all.'),
  run_once: key('bool', 'Run on the first host of the batch only.'),
  throttle: key('int', 'At most so many hosts at once.'),
  debugger: key('text', 'When the task debugger asks: always, never, on_failed, on_unreachable, on_skipped.'),
  timeout: key('int', 'Seconds after which the task has failed.'),
  tags: key('words', 'Names for --tags and --skip-tags.'),
  module_defaults: key('dict', 'Default options, by module.'),
  collections: key('names', 'Look for roles in these first; modules are found by their short names anyway.'),
} satisfies Keywords

const conditional = {
  ...common,
  when: key('conditions', 'Run only where all of these are true.'),
  delegate_to: key('text', 'Run on this host instead.'),
  delegate_facts: key('bool', 'Facts belong to the host delegated to.'),
  notify: key('names', 'Handlers to run at the end when something changed.'),
} satisfies Keywords

const task = {
  ...conditional,
  action: key('any', 'The module and its options, in the older form.'),
  local_action: key('any', 'The same, delegated to localhost.'),
  args: key('options', 'More options of the module.'),
  loop: key('list', 'Run once for each item of this list.'),
  loop_control: key('dict', 'Details of the loop.'),
  register: key('text', 'The variable that gets the result.'),
  until: key('conditions', 'Try again until all of these are true.'),
  retries: key('int', 'How often to try again.'),
  delay: key('number', 'Seconds between tries.'),
  changed_when: key('conditions', 'What counts as a change.'),
  failed_when: key('conditions', 'What counts as a failure.'),
  async: key('int', 'Seconds the task may run in the background.'),
  poll: key('int', 'Seconds between looks at a background task; 0: do not wait.'),
} satisfies Keywords

const required = (keyword: Keyword): Keyword => ({ ...keyword, required: true })

/** The keywords of each place, by Ansible's names. The source of checks, messages and the editor's schema. */
export const keywords = {
  play: {
    ...common,
    hosts: required(key('pattern', 'Pattern of the hosts to run on.')),
    user: key('text', 'The same as remote_user.'),
    serial: key('sizes', 'How many hosts at a time.'),
    strategy: key('text', 'linear, free or host_pinned.'),
    order: key(
      'text',
      'Order of the hosts: inventory, sorted, reverse_sorted, reverse_inventory or shuffle.',
    ),
    gather_facts: key('bool', 'Read facts of the hosts first.'),
    gather_subset: key('words', 'Which facts to read.'),
    gather_timeout: key('int', 'Accepted; no reading of facts can hang on its own.'),
    fact_path: key('text', 'Folder of local facts on the hosts.'),
    max_fail_percentage: key('number', 'More failed hosts than this end the play.'),
    force_handlers: key('bool', 'Run notified handlers also after a failure.'),
    vars_files: key('files', 'Files of variables.'),
    vars_prompt: key('prompts', 'Variables to ask for.'),
    roles: key('roles', 'Roles to run before the tasks.'),
    pre_tasks: key('tasks', 'Tasks before the roles.'),
    tasks: key('tasks', 'Tasks.'),
    post_tasks: key('tasks', 'Tasks after the tasks.'),
    handlers: key('tasks', 'Tasks that run only when notified.'),
    rotation: key('dict', 'Makes the play one crash-safe rotation of secrets.'),
  },
  import_playbook: {
    name: common.name,
    import_playbook: required(key('text', 'File of the playbook.')),
    vars: common.vars,
    when: conditional.when,
    tags: common.tags,
  },
  block: {
    ...conditional,
    block: required(key('tasks', 'Tasks to run together.')),
    rescue: key('tasks', 'Tasks to run when one of them fails.'),
    always: key('tasks', 'Tasks to run in any case.'),
  },
  task,
  handler: { ...task, listen: key('names', 'Other names by which it is notified.') },
  loop_control: {
    loop_var: key('text', "The item's variable; `item` by default."),
    index_var: key('text', "The variable of the item's index."),
    label: key('text', 'What to show instead of the item.'),
    pause: key('number', 'Seconds between items.'),
    extended: key('bool', 'Give ansible_loop.'),
    extended_allitems: key('bool', 'Leave the list of all items out of ansible_loop when false.'),
  },
  rotation: {
    name: required(key('text', 'Name of the rotation.')),
    secrets: required(key('dict', 'The secrets, by name.')),
    commit: key('text', 'run: all hosts together (the default); host: each wave when it is green.'),
    failure_budget: key('number', 'So many hosts, or percent of them, may be red and are undone alone.'),
    alternate: key(
      'dict',
      'Names that go back and forth between two: NAME: { between: [a, b], current: … }.',
    ),
    scope: key('files', 'Files and folders of a host that are searched for copies of the values in force.'),
    rewrites: key(
      'files',
      'Files that hold the values and are rewritten: afterwards no old value may be in them.',
    ),
    allow_copies: key('files', 'Other files that may hold a value: paths, folders or shell patterns.'),
    downtime: key('text', 'What is not there while it converges, and how long; shown in plans.'),
    approval: key(
      'bool',
      'Only a plan that a second person has approved is run (rota plan, approve, apply).',
    ),
    preflight: key('tasks', 'Read-only proofs; red: nothing is touched.'),
    backup: key('tasks', 'Backups, and their proofs.'),
    distribute: key(
      'tasks',
      'Changes of state that make every host accept the new values too, before any host sends them.',
    ),
    change: key('tasks', 'Changes of state; each is undone by its own inverse.'),
    converge: key('tasks', 'Makes the running system match; run again after an undo.'),
    verify: key('tasks', 'Decides: all green commits, red undoes.'),
    committed: key('tasks', 'After the commit; a failure warns and undoes nothing.'),
    provider_gates: key(
      'dict',
      'What a person changes elsewhere by hand, by name: the run waits for it after the commit.',
    ),
    confirmed: key(
      'tasks',
      'Run by `rota confirm`, when a person says that the gates are passed; red: it goes on waiting.',
    ),
    finalise_preflight: key('tasks', 'Read-only proofs before `finalise`; red: nothing is touched.'),
    finalise: key('tasks', 'A later run of its own, which ends the old values.'),
  },
  secret: {
    length: key('int', 'Characters of the new value; at least 16.'),
    current: key('text', 'The value in force now.'),
    given: key('given', 'Given by the operator instead of made; `optional`: rotated only when it is given.'),
    issued: key('text', 'The new value, made by somebody else; read after `backup`.'),
    grace: key('text', 'How long the old value counts after the commit: 72h.'),
    shared: key('bool', 'One value for all hosts.'),
    alphabet: key('text', 'Characters to choose from.'),
    cryptoperiod: key('text', 'How long a value may be in force: 90d.'),
    policy: key('text', 'Name of the rules it follows.'),
    logs_out: key('text', 'Who has to log in anew when it changes; shown in plans.'),
  },
  alternate: {
    between: required(key('names', 'The two names.')),
    current: required(key('text', 'The one in force now.')),
  },
  provider_gate: {
    say: required(key('text', 'What the person has to do, and where.')),
    when: key('conditions', 'It is shut only where all of these are true.'),
  },
  /** Of a policy file. */
  application: {
    ...common,
    name: required(key('text', 'What the application is called.')),
    hosts: required(key('pattern', 'Pattern of the hosts that it runs on.')),
    playbook: required(
      key('text', 'The playbook that rotates its secrets; taken from the folder of the policy.'),
    ),
    vars_files: key('files', 'Files of variables.'),
    read: key('tasks', 'Reads what the duties compare with: register it. Run in check mode.'),
    secrets: required(key('dict', 'The duties, by the name that the secret has in the playbook.')),
  },
  duty: {
    class: required(key('text', 'What kind of secret it is.')),
    cryptoperiod: required(key('text', 'How long a value may be in force: 90d.')),
    warn: key('text', 'How long before that it is due; 14d, or a fourth of a shorter period.'),
    owner: required(key('text', 'Who answers for it.')),
    consumers: key('words', 'Who uses it.'),
    tra: key('text', 'The targeted risk analysis that the period comes from.'),
    rotated: key('text', 'When it was last rotated before rota did it: 2026-10-01.'),
    agrees: key(
      'tasks',
      'Tasks that would change nothing as long as every place holds the same value. Run in check mode.',
    ),
  },
} as const satisfies Record<string, Keywords>
export type Level = keyof typeof keywords

/** Keywords of Ansible that rota refuses, and what to do instead. */
export const refused: Readonly<Record<string, string>> = {
  become_exe: 'put the program on the PATH of the login user',
  become_flags: 'set what you need in sudoers',
}
