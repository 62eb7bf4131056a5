package sandbox

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// progress tells the one who waits what is being done and how long it took.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	since time.Time
}

func newProgress(out io.Writer) *progress {
	if out == nil {
		out = io.Discard
	}
	return &progress{out: out, since: time.Now()}
}

// say writes one line, led by the time since the beginning.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.out, "%6.1fs  %s\n", time.Since(p.since).Seconds(), fmt.Sprintf(format, args...))
}

// during says what is being done, repeats it for as long as it lasts, and says
// when it is over.
func (p *progress) during(what string, do func() error) error {
	begun := time.Now()
	p.say("%s", what)
	done := make(chan struct{})
	var repeating sync.WaitGroup
	repeating.Go(func() {
		tick := time.NewTicker(15 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				p.say("%s: %s so far", what, time.Since(begun).Round(time.Second))
			}
		}
	})
	err := do()
	close(done)
	repeating.Wait()
	if err == nil {
		p.say("%s: done in %s", what, time.Since(begun).Round(100*time.Millisecond))
	}
	return err
}

// lengthy is during for what is mostly over at once, and then not worth a word.
func (p *progress) lengthy(what string, do func() error) error {
	word := time.AfterFunc(2*time.Second, func() { p.say("%s", what) })
	defer word.Stop()
	return do()
}
