package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// mark is the environment variable that every process of a sandbox carries:
// the sandbox's folder and the component's name. The process table is thereby
// the record of what runs. A file of process ids would have to be believed
// after a crash, when the ids may already belong to someone else.
const mark = "WEIR_SANDBOX_PROCESS"

func markOf(dir, component string) string {
	return mark + "=" + dir + "#" + component
}

// process is one that carries a mark.
type process struct {
	pid       int
	component string
	// leader: it leads its session, so it is the component itself and not a
	// child that inherited the mark, as containerd's shims do.
	leader bool
}

// processes lists what runs under the mark of a folder.
func processes(dir string) ([]process, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []process
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		component, marked := markedAs(pid, dir)
		if !marked {
			continue
		}
		found = append(found, process{pid: pid, component: component, leader: leadsSession(pid)})
	}
	return found, nil
}

// markedAs reads the component's name out of a process's environment. Processes
// that are gone meanwhile, and zombies, have none.
func markedAs(pid int, dir string) (string, bool) {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return "", false
	}
	prefix := []byte(markOf(dir, ""))
	for variable := range bytes.SplitSeq(environment, []byte{0}) {
		if component, ok := bytes.CutPrefix(variable, prefix); ok {
			return string(component), true
		}
	}
	return "", false
}

// leadsSession reads the last id in NSsid, which is the session as the process
// itself sees it: within its own PID namespace the ids are others.
func leadsSession(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	inner := map[string]string{}
	for line := range strings.Lines(string(status)) {
		key, value, _ := strings.Cut(line, ":")
		if ids := strings.Fields(value); len(ids) > 0 && (key == "NSpid" || key == "NSsid") {
			inner[key] = ids[len(ids)-1]
		}
	}
	return inner["NSpid"] != "" && inner["NSpid"] == inner["NSsid"]
}

// running is the process of one component, zero when there is none.
func running(dir, component string) (pid int, err error) {
	all, err := processes(dir)
	if err != nil {
		return 0, err
	}
	for _, p := range all {
		if p.leader && p.component == component {
			return p.pid, nil
		}
	}
	return 0, nil
}

// argumentsOf is what a process was told at its start, its own name aside.
func argumentsOf(pid int) []string {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	if err != nil || len(line) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")[1:]
}

// stop ends a process: asked first, forced when it takes longer than patience.
func stop(ctx context.Context, pid int, patience time.Duration) error {
	begun, asked, forced := time.Now(), false, false
	for {
		signal := syscall.Signal(0)
		switch {
		case !asked && patience > 0:
			signal, asked = syscall.SIGTERM, true
		case !forced && time.Since(begun) >= patience:
			signal, forced = syscall.SIGKILL, true
		}
		if err := syscall.Kill(pid, signal); errors.Is(err, syscall.ESRCH) {
			return nil
		} else if err != nil {
			return fmt.Errorf("stopping process %d: %w", pid, err)
		}
		if isZombie(pid) {
			return nil // dead; its parent will notice
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopping process %d: %w", pid, ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func isZombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return false
	}
	// The state follows the program's name, which may itself hold anything.
	_, after, _ := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return strings.HasPrefix(after, "Z")
}
