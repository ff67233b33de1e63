# Runs ansible-playbook on many playbooks: reads a JSON list of jobs {out, argv, cwd} from stdin, each with ansible-playbook's own
# command line, and runs each in a process forked after ansible-core is imported, which costs half a second only once.
# Written for the recorded differences test; what a job said goes to its `out` by the callback plugin beside this file.
import json
import os
import sys

from ansible.cli.playbook import PlaybookCLI


def run(job):
    os.environ['ACCOUNT_FILE'] = job['out']
    os.chdir(job['cwd'])
    log = os.open(job['out'] + '.log', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        status = PlaybookCLI(['ansible-playbook', *job['argv']])
        status.parse()
        return status.run()
    except Exception as error:
        print(error, file=sys.stderr)
        return 4


for job in json.load(sys.stdin):
    pid = os.fork()
    if pid == 0:
        status = run(job)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    with open(job['out'], 'a') as out:
        out.write(json.dumps({'exit': os.waitstatus_to_exitcode(status)}) + '\n')
