/** How results are shown, by the names of the settings of ansible-core's default callback. */
export interface Display {
  /** `display_ok_hosts`, `display_skipped_hosts`: whether these have a line at all. */
  readonly showsOk: boolean
  readonly showsSkipped: boolean
  /** `display_failed_stderr`: failures go where errors go. */
  readonly sendsFailuresToStderr: boolean
  /** `show_task_path_on_failure`: file and line of a task above its failure. */
  readonly showsPathOnFailure: boolean
  /** `check_mode_markers`: headings say what is only checked. */
  readonly marksCheckMode: boolean
  /** `show_custom_stats`: what `set_stats` gathered is shown at the end. */
  readonly showsCustomStats: boolean
  /** `callback_result_format`. */
  readonly format: 'json' | 'yaml'
  /** `callback_format_pretty`: results in lines, or never so; undefined: YAML is, JSON is from `-vvv` on. */
  readonly isPretty: boolean | undefined
}

/** What ansible-playbook does when nothing is configured. */
export const defaultDisplay: Display = {
  showsOk: true,
  showsSkipped: true,
  sendsFailuresToStderr: false,
  showsPathOnFailure: false,
  marksCheckMode: false,
  showsCustomStats: false,
  format: 'json',
  isPretty: undefined,
}
