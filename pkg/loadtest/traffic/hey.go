package traffic

import (
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// lines is a flag that may be given several times.
type lines []string

func (l *lines) String() string { return strings.Join(*l, "\n") }

func (l *lines) Set(line string) error {
	*l = append(*l, line)
	return nil
}

// heyFlags are those of hey that are understood, with hey's own defaults.
type heyFlags struct {
	requests                                          int64
	concurrency, timeout                              int
	rate                                              float64
	duration                                          time.Duration
	method, accept, body, contentType, account, host  string
	headers                                           lines
	http2, noCompression, noKeepAlive, noRedirections bool
}

// Hey is the load that a command of hey asks for, without hey, and within limits: its words, from the first flag on.
// As with hey, no certificate is verified. Without -z and -n it is 200 requests, without -q as fast as answers come.
func Hey(words []string, limits Limits) (*HTTP, error) {
	f := flag.NewFlagSet("hey", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	o := heyFlags{}
	f.Int64Var(&o.requests, "n", 200, "")
	f.IntVar(&o.concurrency, "c", 50, "")
	f.Float64Var(&o.rate, "q", 0, "")
	f.DurationVar(&o.duration, "z", 0, "")
	f.IntVar(&o.timeout, "t", 20, "")
	f.StringVar(&o.method, "m", http.MethodGet, "")
	f.StringVar(&o.accept, "A", "", "")
	f.StringVar(&o.body, "d", "", "")
	f.StringVar(&o.contentType, "T", "text/html", "")
	f.StringVar(&o.account, "a", "", "")
	f.StringVar(&o.host, "host", "", "")
	f.Var(&o.headers, "H", "")
	f.BoolVar(&o.http2, "h2", false, "")
	f.BoolVar(&o.noCompression, "disable-compression", false, "")
	f.BoolVar(&o.noKeepAlive, "disable-keepalive", false, "")
	f.BoolVar(&o.noRedirections, "disable-redirects", false, "")
	if err := f.Parse(words); err != nil {
		return nil, notUnderstood("hey", err)
	}
	if f.NArg() != 1 {
		return nil, notUnderstood("hey", fmt.Errorf("its flags are followed by %d words, and not by one URL", f.NArg()))
	}
	header, err := o.header()
	if err != nil {
		return nil, notUnderstood("hey", err)
	}
	if o.duration > 0 {
		o.requests = 0
	}
	h := &HTTP{
		URL: f.Arg(0), Method: strings.ToUpper(o.method), Header: header, Body: []byte(o.body),
		HTTP2: o.http2, Insecure: true,
		NoKeepAlive: o.noKeepAlive, NoCompression: o.noCompression, NoRedirects: o.noRedirections,
		Pace: Pace{
			Rate: o.rate * float64(o.concurrency), Concurrency: o.concurrency, // hey's rate is that of one worker
			Duration: o.duration, Requests: o.requests, Timeout: time.Duration(o.timeout) * time.Second,
		},
	}
	return h, h.check(limits)
}

func (o heyFlags) header() (http.Header, error) {
	header := http.Header{}
	for name, value := range map[string]string{"Content-Type": o.contentType, "Accept": o.accept, "Host": o.host} {
		if value != "" {
			header.Set(name, value)
		}
	}
	for _, line := range o.headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, errors.New("what follows -H is no header, as in -H 'Accept: text/html'")
		}
		header.Set(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if o.account != "" {
		if !strings.Contains(o.account, ":") {
			return nil, errors.New("what follows -a is no name with a password, as in -a name:password")
		}
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(o.account)))
	}
	return header, nil
}

func notUnderstood(program string, why error) error {
	return fmt.Errorf("the command of %s is not understood: %w; to run %s itself, use an image that has it, "+
		"and --allow-command=%s", program, why, program, program)
}
