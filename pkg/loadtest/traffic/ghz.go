package traffic

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/pflag"
)

// Ghz is the load that a command of ghz asks for, without ghz, and within limits: its words, from the first flag on.
// Files of protobuf are not read: what a call takes is asked of the server by reflection, but for the health check,
// which is also the call where none is named.
func Ghz(words []string, limits Limits) (*GRPC, error) {
	f := pflag.NewFlagSet("ghz", pflag.ContinueOnError)
	f.Usage = func() {}
	concurrency := f.IntP("concurrency", "c", 50, "")
	requests := f.Int64P("total", "n", 200, "")
	rate := f.Float64P("rps", "r", 0, "")
	f.Float64VarP(rate, "qps", "q", 0, "") // as older ones have it
	duration := f.DurationP("duration", "z", 0, "")
	timeout := f.DurationP("timeout", "t", 20*time.Second, "")
	call := f.String("call", HealthCheck, "")
	data := f.StringP("data", "d", "", "")
	headers := f.StringP("metadata", "m", "", "")
	plain := f.Bool("insecure", false, "")
	anyone := f.Bool("skipTLS", false, "")
	f.String("proto", "", "")
	if err := f.Parse(words); err != nil {
		return nil, notUnderstood("ghz", err)
	}
	if f.NArg() != 1 {
		return nil, notUnderstood("ghz", fmt.Errorf("it has %d words beside its flags, and not one address", f.NArg()))
	}
	sent := map[string]string{}
	if *headers != "" && json.Unmarshal([]byte(*headers), &sent) != nil {
		return nil, notUnderstood("ghz", errors.New("its metadata is no object of strings in JSON"))
	}
	if *duration > 0 {
		*requests = 0
	}
	g := &GRPC{
		Address: f.Arg(0), Call: callOf(*call), Data: *data, Metadata: sent, TLS: !*plain, Insecure: *anyone,
		Pace: Pace{Rate: *rate, Concurrency: *concurrency, Duration: *duration, Requests: *requests, Timeout: *timeout},
	}
	return g, g.check(limits)
}

// callOf has a slash before the method, where ghz also takes a dot.
func callOf(said string) string {
	for i := len(said) - 1; i >= 0; i-- {
		switch said[i] {
		case '/':
			return said
		case '.':
			return said[:i] + "/" + said[i+1:]
		}
	}
	return said
}
