package traffic

import (
	"context"
	"net/http"
	"strconv"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// run sends a target at a pace, with a client.
func (p Pace) run(ctx context.Context, client *http.Client, target vegeta.Target, observe func(Answer)) *Report {
	client.Timeout = p.Timeout
	pace := pacer{ctx: ctx, rate: p.Rate, duration: p.Duration, requests: uint64(p.Requests)}
	if pace.rate == 0 {
		pace.rate = p.most
	}
	attacker := vegeta.NewAttacker(vegeta.Workers(uint64(p.Concurrency)), vegeta.MaxWorkers(uint64(p.Concurrency)),
		vegeta.Client(client), vegeta.MaxBody(0))
	if p.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.Duration)
		defer cancel()
	}
	// The pacer is not asked while all workers wait for answers.
	defer context.AfterFunc(ctx, func() { attacker.Stop() })()
	t := newTally(p, pace)
	for result := range attacker.Attack(vegeta.NewStaticTargeter(target), pace, 0, "") {
		observe(t.add(result))
	}
	return t.report(time.Now())
}

// outcome is what a result stands for.
func outcome(r *vegeta.Result) Answer {
	a := Answer{Latency: r.Latency, OK: r.Error == ""}
	switch code := r.Headers.Get(codeHeader); {
	case code != "":
		a.Outcome = code
	case r.Code == 0:
		a.Outcome = "none"
	default:
		a.Outcome = strconv.Itoa(int(r.Code))
	}
	return a
}
