package desk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Shell types commands, each in a bash of its own that ends at the first trouble, also within a pipe or by a variable that
// is not set. It is for one goroutine.
type Shell struct {
	// Folder is where commands are typed and files are written.
	Folder string
	// Env is what commands find in their environment beside this process's, as in KUBECONFIG=….
	Env []string
	// Words are what a reader puts in place of the words that a page has in capitals, as in NAME, wherever they stand alone.
	Words map[string]string
	// Outside are addresses of the page and what stands for each here, by turns, in what is typed and in files.
	Outside []string
	// Log is told what is typed and what is said.
	Log io.Writer

	code       int // of the last command, for $?
	background []*process
}

// Type runs a command to its end, and gives what it said. Its error is an *exec.ExitError where the command says that
// something is wrong. What ends with & goes on until Close. With the context, the command is killed.
func (s *Shell) Type(ctx context.Context, command string) (said string, err error) {
	if before, goesOn := strings.CutSuffix(command, " &"); goesOn {
		p, err := s.start(context.WithoutCancel(ctx), before)
		if err == nil {
			s.background = append(s.background, p)
		}
		return "", err
	}
	p, err := s.start(ctx, command)
	if err != nil {
		return "", err
	}
	return s.await(p)
}

// Until runs a command that would not end by itself, reads what it says as it comes, and interrupts it as ^C does when
// enough is seen. It gives what was said by then; an error tells that the command ended before, or that the context did.
func (s *Shell) Until(ctx context.Context, command string, enough func(said string) bool) (said string, err error) {
	p, err := s.start(ctx, command)
	if err != nil {
		return "", err
	}
	for !enough(p.said.String()) {
		select {
		case <-p.gone:
			said, err = s.await(p)
			return said, errors.Join(err, fmt.Errorf("%s ended before enough was seen:\n%s", command, said))
		case <-ctx.Done():
			said, err = s.await(p)
			return said, errors.Join(err, fmt.Errorf("%s did not show enough:\n%s", command, said))
		case <-time.After(50 * time.Millisecond):
		}
	}
	_ = p.signal(syscall.SIGINT) // unless it has just ended
	said, err = s.await(p)
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) { // how it takes ^C is its own affair
		err = nil
	}
	s.code = 0
	return said, err
}

// Close ends what goes on in the background.
func (s *Shell) Close() {
	for _, p := range s.background {
		_ = p.signal(syscall.SIGKILL)
		<-p.gone
		fmt.Fprintf(s.Log, "%s(ended)\n", p.said.String())
	}
	s.background = nil
}

// read is a command as it is typed in the end.
func (s *Shell) read(command string) string {
	command = regexp.MustCompile(`\b[A-Z]+\b`).ReplaceAllStringFunc(command, func(word string) string {
		if stands, ok := s.Words[word]; ok {
			return stands
		}
		return word
	})
	command = strings.ReplaceAll(command, "$?", strconv.Itoa(s.code)) // each command has a shell of its own
	return strings.NewReplacer(s.Outside...).Replace(command)
}

// process is a command that runs, with all that it has started.
type process struct {
	command *exec.Cmd
	said    output
	gone    chan struct{}
	err     error // once it is gone
}

func (s *Shell) start(ctx context.Context, command string) (*process, error) {
	typed := s.read(command)
	fmt.Fprintf(s.Log, "$ %s\n", typed)
	p := &process{command: exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", typed), gone: make(chan struct{})}
	p.command.Dir = s.Folder
	p.command.Env = append(os.Environ(), s.Env...)
	p.command.Stdout, p.command.Stderr = &p.said, &p.said
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p.command.Cancel = func() error { return p.signal(syscall.SIGKILL) }
	p.command.WaitDelay = time.Second // what is left behind may hold the output open
	started := make(chan error)
	go func() {
		defer close(p.gone)
		// The kernel ties a child's death signal to the thread that started it.
		runtime.LockOSThread()
		err := p.command.Start()
		started <- err
		if err == nil {
			p.err = p.command.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting a shell: %w", err)
	}
	return p, nil
}

func (s *Shell) await(p *process) (string, error) {
	<-p.gone
	s.code = p.command.ProcessState.ExitCode()
	said := p.said.String()
	fmt.Fprint(s.Log, said)
	return said, p.err
}

// signal reaches all that the command has started, too.
func (p *process) signal(sig syscall.Signal) error {
	select {
	case <-p.gone: // its id may be another's by now
		return os.ErrProcessDone
	default:
		return syscall.Kill(-p.command.Process.Pid, sig)
	}
}

// output is read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
