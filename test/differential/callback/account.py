# A callback plugin of ansible-core: one JSON line for each result of a task on a host, and one for the recap.
import json
import os

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = 'stdout'
    CALLBACK_NAME = 'account'

    def __init__(self):
        super().__init__()
        self.out = open(os.environ['ACCOUNT_FILE'], 'a')

    def say(self, line):
        self.out.write(json.dumps(line) + '\n')
        self.out.flush()

    def result(self, status, result, **more):
        self.say({
            'host': result._host.get_name(),
            'task': result._task.get_name(),
            'action': result._task.action,
            'status': status,
            'result': json.loads(self._dump_results(result._result)),
            **more,
        })

    def v2_runner_on_ok(self, result):
        self.result('changed' if result._result.get('changed') else 'ok', result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self.result('failed', result)

    def v2_runner_on_skipped(self, result):
        self.result('skipped', result)

    def v2_runner_on_unreachable(self, result):
        self.result('unreachable', result)

    def v2_playbook_on_stats(self, stats):
        names = ['ok', 'changed', 'unreachable', 'failed', 'skipped', 'rescued', 'ignored']
        recap = {}
        for host in stats.processed:
            counts = stats.summarize(host)
            recap[host] = {name: counts['failures' if name == 'failed' else name] for name in names}
        self.say({'recap': recap})
