// Package shared stands between many who ask and the servers that they ask. Who asks the same in the same slot of time
// gets the same answer, for which the server was asked once; and a server is asked so much at a time and no more, so that
// one that hangs keeps nobody waiting but those who ask it.
package shared

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/outbound"
)

const (
	// slots is how many fit into an interval, and longestSlot how long one is at most. With a tenth of the interval,
	// the answer that a check gets is about a time that ends within its own interval, after the traffic that it judges
	// came in force, and never the answer of the round before. Three seconds are less than servers wait between two
	// scrapes, so that asked again it would mostly have said the same.
	slots       = 10
	longestSlot = 3 * time.Second

	// mostKept is how many answers are kept, and mostSamples of how many series each.
	mostKept    = 1000
	mostSamples = 16
)

// Slot is how long the answer to one check may serve for others, where checks are made at that interval.
func Slot(interval time.Duration) time.Duration { return min(interval/slots, longestSlot) }

// What became of a question, for Meter.
const (
	// Hit was answered before, in the same slot.
	Hit = "hit"
	// Joined was being asked already.
	Joined = "joined"
	// Miss was asked.
	Miss = "miss"
)

// Meter counts. It is safe for concurrent use.
type Meter interface {
	// Shared is told what became of a question: Hit, Joined or Miss.
	Shared(result string)
	// Began and Ended are told of each query of a provider of that type. The error is the provider's.
	Began(provider string)
	Ended(provider string, took time.Duration, err error)
}

// Source is a provider, and what it has in common with others.
type Source struct {
	metrics.Provider
	// Type of the provider, for the Meter.
	Type string
	// ID is that of all sources that give the same answers: with the same credentials, of the same server.
	ID string
	// Server is that of all sources behind which there is the same server.
	Server string
}

// Desk is what all questions go through. It is safe for concurrent use.
type Desk struct {
	patience time.Duration
	now      func() time.Time
	meter    Meter
	flights  singleflight.Group
	rooms    *outbound.Rooms

	mu   sync.Mutex
	kept map[string]Answer
}

// Answer is what a server said of a time.
type Answer struct {
	At time.Time
	// Samples are not for changing: others have them, too.
	Samples []metrics.Sample
	err     error
}

// New makes a desk that asks a server for no more than limit things at a time, and gives up a query after patience.
func New(limit int, patience time.Duration, now func() time.Time, meter Meter) *Desk {
	return &Desk{
		patience: patience, now: now, meter: meter, kept: map[string]Answer{}, rooms: outbound.NewRooms(limit),
	}
}

// Enter waits until a server may be asked for one more thing. Who has entered asks, and leaves.
func (d *Desk) Enter(ctx context.Context, server string) (leave func(), err error) {
	leave, err = d.rooms.Enter(ctx, server)
	if err != nil {
		return nil, metrics.Transportf("there was no more time to ask")
	}
	return leave, nil
}

// Ask asks, for who has entered.
func (d *Desk) Ask(ctx context.Context, s Source, q metrics.Query) ([]metrics.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, d.patience)
	defer cancel()
	start := time.Now()
	d.meter.Began(s.Type)
	samples, err := s.Query(ctx, q)
	d.meter.Ended(s.Type, time.Since(start), err)
	return samples, err
}

// Share enters and asks about now, or gives the answer of another who asked the same in the same slot. What is shared is an
// answer: also one of no data, but no other error. Who comes while the server is being asked waits until that has an end.
// It says of an error, too, which time it is about.
func (d *Desk) Share(ctx context.Context, s Source, q metrics.Query, slot time.Duration) (Answer, error) {
	question := strconv.Quote(s.ID) + q.Window.String() + q.Expr
	for {
		result, began := Joined, d.now().Truncate(slot)
		landed, _, _ := d.flights.Do(slot.String()+began.String()+question, func() (any, error) {
			if known, ok := d.known(question, began, slot); ok {
				result = Hit
				return flown{Answer: known}, nil
			}
			result = Miss
			a := d.ask(ctx, s, q)
			d.keep(question, a)
			return flown{a, ctx.Err() != nil}, nil
		})
		f, _ := landed.(flown)
		if f.gaveUp && ctx.Err() == nil {
			continue // who was first had no more time, which says nothing of the server
		}
		d.meter.Shared(result)
		return f.Answer, f.err
	}
}

// ask is about the time when the server may be asked, which with a server that hangs is long after who asks came.
func (d *Desk) ask(ctx context.Context, s Source, q metrics.Query) Answer {
	leave, err := d.Enter(ctx, s.Server)
	q.At = d.now()
	if err != nil {
		return Answer{At: q.At, err: err}
	}
	defer leave()
	samples, err := d.Ask(ctx, s, q)
	return Answer{q.At, samples, err}
}

// flown is what came of a query that others may have waited for.
type flown struct {
	Answer
	// gaveUp says that who asked had no more time.
	gaveUp bool
}

// known is the answer to a question that was asked in the slot. Each who asks has slots of their own length, so that an
// answer to somebody who asks seldom is not too old for somebody who asks often.
func (d *Desk) known(question string, began time.Time, slot time.Duration) (Answer, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known, ok := d.kept[question]
	return known, ok && known.At.Truncate(slot).Equal(began)
}

// keep remembers an answer for as long as a slot can be, and forgets those that are older.
func (d *Desk) keep(question string, a Answer) {
	if a.err != nil && !errors.Is(a.err, metrics.NoData) || len(a.Samples) > mostSamples {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for q, other := range d.kept {
		if a.At.Sub(other.At) >= longestSlot {
			delete(d.kept, q)
		}
	}
	if _, ok := d.kept[question]; ok || len(d.kept) < mostKept {
		d.kept[question] = a
	}
}
