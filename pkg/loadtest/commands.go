package loadtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-shellwords"
)

const (
	// longestOutput is how much of the end of an output is kept, in bytes.
	longestOutput = 16 << 10
	// farewell is how long a command may take to end when it is told to.
	farewell = 5 * time.Second
)

// commands are what may be run.
type commands struct {
	// allowed are the first words that a command may have.
	allowed [][]string
	// shell says that a shell may run anything.
	shell bool
}

func newCommands(allowed []string, shell bool) (commands, error) {
	c := commands{shell: shell}
	for _, a := range allowed {
		words := strings.Fields(a)
		if len(words) == 0 {
			return commands{}, errors.New("--allow-command has an empty command: name a program, or a program and its first words")
		}
		c.allowed = append(c.allowed, words)
	}
	return c, nil
}

// allows tells whether a command begins with allowed words.
func (c commands) allows(words []string) bool {
	return slices.ContainsFunc(c.allowed, func(first []string) bool {
		return len(words) >= len(first) && slices.Equal(words[:len(first)], first)
	})
}

// check says what is wrong with a command that is not allowed.
func (c commands) check(words []string) error {
	if c.shell || c.allows(words) {
		return nil
	}
	shown := words[0]
	if len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		shown += " " + words[1]
	}
	return fmt.Errorf("command %q is not allowed here: whoever runs the load tester allows it with --allow-command=%q",
		words[0], shown)
}

// wordsOf parts a line as a shell would. Plain is false where only a shell does what the line says.
func wordsOf(line string) (words []string, plain bool, err error) {
	line = strings.ReplaceAll(line, "\\\n", " ")
	plain = !strings.Contains(line, "`") && !strings.Contains(line, "$(")
	parser := shellwords.NewParser()
	parser.ParseEnv, parser.ParseBacktick, parser.ParseComment = true, false, false
	parser.Getenv = func(string) string {
		plain = false
		return ""
	}
	words, err = parser.Parse(line)
	if err != nil && !strings.ContainsAny(line, "()") {
		return nil, true, errors.New("the command has a quote that does not end")
	}
	plain = plain && err == nil && parser.Position < 0
	if plain && len(words) == 0 {
		return nil, true, errors.New("the command is empty")
	}
	return words, plain, nil
}

// execute runs a program and all that it starts, until the context ends, and gives the end of what they print.
func execute(ctx context.Context, words []string) (output string, err error) {
	program, err := exec.LookPath(words[0])
	if err != nil {
		return "", fmt.Errorf("%s is not in this image: use one that has it", words[0])
	}
	out := &tail{most: longestOutput}
	cmd := exec.CommandContext(ctx, program, words[1:]...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "WEIR_") })
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = farewell
	if err := cmd.Start(); err != nil {
		return "", fmt.Errorf("starting %s: %w", words[0], err)
	}
	err = cmd.Wait()
	sweep(cmd.Process.Pid)
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("%s was stopped: %w", words[0], context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		err = fmt.Errorf("%s ended, and left behind what did not", words[0])
	case err != nil:
		err = fmt.Errorf("%s failed: %w", words[0], err)
	}
	return out.String(), err
}

// sweep ends what is left of a process group, and waits for those of it that have become children of this process, as
// orphans do of the first process of a container.
func sweep(group int) {
	_ = syscall.Kill(-group, syscall.SIGKILL) // nobody is left, mostly
	for {
		if _, err := syscall.Wait4(-group, nil, 0, nil); err != nil && !errors.Is(err, syscall.EINTR) {
			return
		}
	}
}

// tail keeps the end of what is written. It is used by one writer: exec takes one for both outputs if they are the same.
type tail struct {
	most int
	kept []byte
	cut  bool
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - t.most; over > 0 {
		t.kept, t.cut = append(t.kept[:0], t.kept[over:]...), true
	}
	return len(p), nil
}

// String is text, whatever was written.
func (t *tail) String() string {
	text := strings.ToValidUTF8(string(t.kept), "")
	if t.cut {
		return "…" + text
	}
	return text
}

// lastLine of an output that says something.
func lastLine(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
