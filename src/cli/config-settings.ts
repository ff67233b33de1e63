/** Where a setting of Ansible's stands, and how its text is read. */
export interface Setting {
  /**
   * `sources`: a list at commas whose members are paths, or one host list; `paths`: paths at colons; `list`: texts at commas. Paths
   * are taken from the folder of ansible.cfg, those of a variable from the current folder.
   */
  readonly type: 'text' | 'int' | 'bool' | 'path' | 'paths' | 'list' | 'sources'
  /** `section.key`, the first one that is set counts. */
  readonly ini: readonly string[]
  readonly env: readonly string[]
}

const define = <const S extends Readonly<Record<string, Setting>>>(settings: S): S => settings

/** The settings that rota heeds, by the names of docs.ansible.com "Ansible Configuration Settings". */
export const settings = define({
  inventory: { type: 'sources', ini: ['defaults.inventory'], env: ['ANSIBLE_INVENTORY'] },
  remoteUser: { type: 'text', ini: ['defaults.remote_user'], env: ['ANSIBLE_REMOTE_USER'] },
  remotePort: { type: 'int', ini: ['defaults.remote_port'], env: ['ANSIBLE_REMOTE_PORT'] },
  privateKeyFile: { type: 'path', ini: ['defaults.private_key_file'], env: ['ANSIBLE_PRIVATE_KEY_FILE'] },
  transport: { type: 'text', ini: ['defaults.transport'], env: ['ANSIBLE_TRANSPORT'] },
  executable: { type: 'text', ini: ['defaults.executable'], env: ['ANSIBLE_EXECUTABLE'] },
  forks: { type: 'int', ini: ['defaults.forks'], env: ['ANSIBLE_FORKS'] },
  timeout: {
    type: 'int',
    ini: ['defaults.timeout', 'ssh_connection.timeout'],
    env: ['ANSIBLE_TIMEOUT', 'ANSIBLE_SSH_TIMEOUT'],
  },
  hostKeyChecking: {
    type: 'bool',
    ini: ['defaults.host_key_checking', 'ssh_connection.host_key_checking'],
    env: ['ANSIBLE_HOST_KEY_CHECKING', 'ANSIBLE_SSH_HOST_KEY_CHECKING'],
  },
  sshArgs: { type: 'text', ini: ['ssh_connection.ssh_args'], env: ['ANSIBLE_SSH_ARGS'] },
  sshCommonArgs: { type: 'text', ini: ['ssh_connection.ssh_common_args'], env: ['ANSIBLE_SSH_COMMON_ARGS'] },
  sshExtraArgs: { type: 'text', ini: ['ssh_connection.ssh_extra_args'], env: ['ANSIBLE_SSH_EXTRA_ARGS'] },
  askPass: { type: 'bool', ini: ['defaults.ask_pass'], env: ['ANSIBLE_ASK_PASS'] },
  connectionPasswordFile: {
    type: 'path',
    ini: ['defaults.connection_password_file'],
    env: ['ANSIBLE_CONNECTION_PASSWORD_FILE'],
  },
  become: { type: 'bool', ini: ['privilege_escalation.become'], env: ['ANSIBLE_BECOME'] },
  becomeMethod: { type: 'text', ini: ['privilege_escalation.become_method'], env: ['ANSIBLE_BECOME_METHOD'] },
  becomeUser: { type: 'text', ini: ['privilege_escalation.become_user'], env: ['ANSIBLE_BECOME_USER'] },
  becomeAskPass: {
    type: 'bool',
    ini: ['privilege_escalation.become_ask_pass'],
    env: ['ANSIBLE_BECOME_ASK_PASS'],
  },
  becomePasswordFile: {
    type: 'path',
    ini: ['defaults.become_password_file'],
    env: ['ANSIBLE_BECOME_PASSWORD_FILE'],
  },
  askVaultPass: { type: 'bool', ini: ['defaults.ask_vault_pass'], env: ['ANSIBLE_ASK_VAULT_PASS'] },
  vaultPasswordFile: {
    type: 'path',
    ini: ['defaults.vault_password_file'],
    env: ['ANSIBLE_VAULT_PASSWORD_FILE'],
  },
  vaultIdentity: { type: 'text', ini: ['defaults.vault_identity'], env: ['ANSIBLE_VAULT_IDENTITY'] },
  vaultIdentityList: {
    type: 'list',
    ini: ['defaults.vault_identity_list'],
    env: ['ANSIBLE_VAULT_IDENTITY_LIST'],
  },
  vaultEncryptIdentity: {
    type: 'text',
    ini: ['defaults.vault_encrypt_identity'],
    env: ['ANSIBLE_VAULT_ENCRYPT_IDENTITY'],
  },
  vaultIdMatch: { type: 'bool', ini: ['defaults.vault_id_match'], env: ['ANSIBLE_VAULT_ID_MATCH'] },
  rolesPath: { type: 'paths', ini: ['defaults.roles_path'], env: ['ANSIBLE_ROLES_PATH'] },
  collectionsPath: {
    type: 'paths',
    ini: ['defaults.collections_path', 'defaults.collections_paths'],
    env: ['ANSIBLE_COLLECTIONS_PATH', 'ANSIBLE_COLLECTIONS_PATHS'],
  },
  gathering: { type: 'text', ini: ['defaults.gathering'], env: ['ANSIBLE_GATHERING'] },
  factCaching: { type: 'text', ini: ['defaults.fact_caching'], env: ['ANSIBLE_CACHE_PLUGIN'] },
  factCachingConnection: {
    type: 'path',
    ini: ['defaults.fact_caching_connection'],
    env: ['ANSIBLE_CACHE_PLUGIN_CONNECTION'],
  },
  factCachingPrefix: {
    type: 'text',
    ini: ['defaults.fact_caching_prefix'],
    env: ['ANSIBLE_CACHE_PLUGIN_PREFIX'],
  },
  factCachingTimeout: {
    type: 'int',
    ini: ['defaults.fact_caching_timeout'],
    env: ['ANSIBLE_CACHE_PLUGIN_TIMEOUT'],
  },
  gatherSubset: { type: 'list', ini: ['defaults.gather_subset'], env: ['ANSIBLE_GATHER_SUBSET'] },
  strategy: { type: 'text', ini: ['defaults.strategy'], env: ['ANSIBLE_STRATEGY'] },
  forceHandlers: { type: 'bool', ini: ['defaults.force_handlers'], env: ['ANSIBLE_FORCE_HANDLERS'] },
  anyErrorsFatal: { type: 'bool', ini: ['defaults.any_errors_fatal'], env: ['ANSIBLE_ANY_ERRORS_FATAL'] },
  errorOnMissingHandler: {
    type: 'bool',
    ini: ['defaults.error_on_missing_handler'],
    env: ['ANSIBLE_ERROR_ON_MISSING_HANDLER'],
  },
  hashBehaviour: { type: 'text', ini: ['defaults.hash_behaviour'], env: ['ANSIBLE_HASH_BEHAVIOUR'] },
  noLog: { type: 'bool', ini: ['defaults.no_log'], env: ['ANSIBLE_NO_LOG'] },
  taskTimeout: { type: 'int', ini: ['defaults.task_timeout'], env: ['ANSIBLE_TASK_TIMEOUT'] },
  tags: { type: 'list', ini: ['tags.run'], env: ['ANSIBLE_RUN_TAGS'] },
  skipTags: { type: 'list', ini: ['tags.skip'], env: ['ANSIBLE_SKIP_TAGS'] },
  diff: { type: 'bool', ini: ['diff.always'], env: ['ANSIBLE_DIFF_ALWAYS'] },
  verbosity: { type: 'int', ini: ['defaults.verbosity'], env: ['ANSIBLE_VERBOSITY'] },
  noColor: { type: 'bool', ini: ['defaults.nocolor'], env: ['ANSIBLE_NOCOLOR'] },
  forceColor: { type: 'bool', ini: ['defaults.force_color'], env: ['ANSIBLE_FORCE_COLOR'] },
  groupNames: {
    type: 'text',
    ini: ['defaults.force_valid_group_names'],
    env: ['ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS'],
  },
  injectFacts: {
    type: 'bool',
    ini: ['defaults.inject_facts_as_vars'],
    env: ['ANSIBLE_INJECT_FACT_VARS'],
  },
  factsModules: { type: 'list', ini: ['defaults.facts_modules'], env: ['ANSIBLE_FACTS_MODULES'] },
  hostPatternMismatch: {
    type: 'text',
    ini: ['inventory.host_pattern_mismatch'],
    env: ['ANSIBLE_HOST_PATTERN_MISMATCH'],
  },
  unparsedFails: {
    type: 'bool',
    ini: ['inventory.unparsed_is_failed'],
    env: ['ANSIBLE_INVENTORY_UNPARSED_FAILED'],
  },
  anyUnparsedFails: {
    type: 'bool',
    ini: ['inventory.any_unparsed_is_failed'],
    env: ['ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED'],
  },
  playbookDir: { type: 'path', ini: ['defaults.playbook_dir'], env: ['ANSIBLE_PLAYBOOK_DIR'] },
  showCustomStats: {
    type: 'bool',
    ini: ['defaults.show_custom_stats'],
    env: ['ANSIBLE_SHOW_CUSTOM_STATS'],
  },
  displayOkHosts: { type: 'bool', ini: ['defaults.display_ok_hosts'], env: ['ANSIBLE_DISPLAY_OK_HOSTS'] },
  displaySkippedHosts: {
    type: 'bool',
    ini: ['defaults.display_skipped_hosts'],
    env: ['ANSIBLE_DISPLAY_SKIPPED_HOSTS'],
  },
  displayFailedStderr: {
    type: 'bool',
    ini: ['defaults.display_failed_stderr'],
    env: ['ANSIBLE_DISPLAY_FAILED_STDERR'],
  },
  showTaskPathOnFailure: {
    type: 'bool',
    ini: ['defaults.show_task_path_on_failure'],
    env: ['ANSIBLE_SHOW_TASK_PATH_ON_FAILURE'],
  },
  checkModeMarkers: {
    type: 'bool',
    ini: ['defaults.check_mode_markers'],
    env: ['ANSIBLE_CHECK_MODE_MARKERS'],
  },
  resultFormat: {
    type: 'text',
    ini: ['defaults.callback_result_format'],
    env: ['ANSIBLE_CALLBACK_RESULT_FORMAT'],
  },
  formatPretty: {
    type: 'bool',
    ini: ['defaults.callback_format_pretty'],
    env: ['ANSIBLE_CALLBACK_FORMAT_PRETTY'],
  },
  duplicateDictKey: {
    type: 'text',
    ini: ['defaults.duplicate_dict_key'],
    env: ['ANSIBLE_DUPLICATE_YAML_DICT_KEY'],
  },
  jinja2Native: { type: 'bool', ini: ['defaults.jinja2_native'], env: ['ANSIBLE_JINJA2_NATIVE'] },
  taskDebugger: {
    type: 'bool',
    ini: ['defaults.enable_task_debugger'],
    env: ['ANSIBLE_ENABLE_TASK_DEBUGGER'],
  },
  moduleName: { type: 'text', ini: ['defaults.module_name'], env: [] },
})
export type SettingName = keyof typeof settings

interface Refusal {
  readonly ini: readonly string[]
  readonly env: readonly string[]
  /** Values that say what rota does anyhow; lower case. */
  readonly fine: readonly string[]
  readonly hint: string
}

/** Settings that would change what a play does, and that rota cannot follow: refused unless they say what rota does anyhow. */
export const refusals: readonly Refusal[] = [
  {
    ini: ['defaults.error_on_undefined_vars'],
    env: ['ANSIBLE_ERROR_ON_UNDEFINED_VARS'],
    fine: ['true', 'yes', '1', 'on'],
    hint: 'write {{ name | default("") }} where a variable may be missing',
  },
  {
    ini: ['defaults.jinja2_extensions'],
    env: ['ANSIBLE_JINJA2_EXTENSIONS'],
    fine: ['', 'jinja2.ext.do', 'jinja2.ext.loopcontrols'],
    hint: 'rota’s templates have no extensions: remove it',
  },
  {
    ini: ['defaults.precedence'],
    env: ['ANSIBLE_PRECEDENCE'],
    fine: [],
    hint: 'the order is fixed: see `rota vars HOST --explain NAME`',
  },
  {
    ini: ['defaults.private_role_vars'],
    env: ['ANSIBLE_PRIVATE_ROLE_VARS'],
    fine: ['false', 'no', '0', 'off'],
    hint: 'remove it: the vars of a role are seen by the tasks after it',
  },
  {
    ini: ['privilege_escalation.become_exe'],
    env: ['ANSIBLE_BECOME_EXE'],
    fine: ['', 'sudo', 'su', 'doas'],
    hint: 'remove it: rota finds the program in PATH',
  },
  {
    ini: ['privilege_escalation.become_flags'],
    env: ['ANSIBLE_BECOME_FLAGS'],
    fine: ['', '-h -s -n', '-n', '-h', '-h -s'],
    hint: 'remove it: rota chooses the flags itself',
  },
  {
    ini: ['ssh_connection.ssh_executable'],
    env: ['ANSIBLE_SSH_EXECUTABLE'],
    fine: ['', 'ssh', '/usr/bin/ssh'],
    hint: 'remove it: with connection openssh, rota runs the ssh that is first in PATH',
  },
  {
    ini: ['ssh_connection.pkcs11_provider'],
    env: ['ANSIBLE_PKCS11_PROVIDER'],
    fine: [''],
    hint: 'set PKCS11Provider in ~/.ssh/config, and connection openssh',
  },
]
