package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/procfs"
)

// usage is what operators have used so far, by /proc and by their own account. Memory is that of the largest of them, the
// rest is of all together.
type usage struct {
	at            time.Time
	resident      int
	peak          uint64
	cpu           float64
	wakeUps       uint64
	looks, checks uint64
	// queries are those that were sent for checks, and shared those that others had sent.
	queries, shared uint64
	heap            float64
	// goroutines, and series that are told at /metrics.
	goroutines, series int
	// queued are Canaries that wait to be looked at.
	queued int
}

// usage of all that run. One that has just been started is waited for.
func (c *crew) usage(ctx context.Context) (sum usage, err error) {
	for range 100 {
		if err := c.tend(ctx); err != nil {
			return usage{}, err
		}
		if sum, err = c.sum(ctx); err == nil {
			return sum, nil
		}
		if err := sleep(ctx, 300*time.Millisecond); err != nil {
			return usage{}, err
		}
	}
	return usage{}, err
}

func (c *crew) sum(ctx context.Context) (usage, error) {
	sum := usage{at: time.Now()}
	for _, op := range c.on {
		u, err := op.usage(ctx)
		if err != nil {
			return sum, err
		}
		sum.resident, sum.peak, sum.heap = max(sum.resident, u.resident), max(sum.peak, u.peak), max(sum.heap, u.heap)
		sum.cpu, sum.wakeUps, sum.looks, sum.checks = sum.cpu+u.cpu, sum.wakeUps+u.wakeUps, sum.looks+u.looks, sum.checks+u.checks
		sum.queries, sum.shared, sum.queued = sum.queries+u.queries, sum.shared+u.shared, sum.queued+u.queued
		sum.goroutines, sum.series = sum.goroutines+u.goroutines, sum.series+u.series
	}
	return sum, nil
}

// grown is how much a counter has grown; one that is lower than it was has begun anew.
func grown[N uint64 | float64](before, after N) N {
	if after < before {
		return after
	}
	return after - before
}

// resident is the memory that the largest of them has now; one that has ended has none.
func (c *crew) resident() int {
	largest := 0
	for _, op := range c.on {
		p, err := procfs.NewProc(op.process.Process.Pid)
		if err != nil {
			continue
		}
		if stat, err := p.Stat(); err == nil {
			largest = max(largest, stat.ResidentMemory())
		}
	}
	return largest
}

func (op *operator) usage(ctx context.Context) (usage, error) {
	u := usage{at: time.Now()}
	pid := op.process.Process.Pid
	p, err := procfs.NewProc(pid)
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	stat, err := p.Stat()
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	status, err := p.NewStatus()
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	u.resident, u.peak, u.cpu = stat.ResidentMemory(), status.VmHWM, stat.CPUTime()
	threads, err := procfs.AllThreads(pid)
	if err != nil {
		return u, fmt.Errorf("reading /proc of the operator: %w", err)
	}
	for _, thread := range threads {
		if status, err := thread.NewStatus(); err == nil { // else it has ended since
			u.wakeUps += status.VoluntaryCtxtSwitches
		}
	}
	err = op.own(ctx, &u)
	return u, err
}

// own are the operator's own numbers.
func (op *operator) own(ctx context.Context, u *usage) error {
	response, err := get(ctx, op.metrics)
	if err != nil {
		return fmt.Errorf("asking the operator for its metrics: %w", err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return fmt.Errorf("reading the operator's metrics: %w", err)
	}
	for _, m := range families["weir_sync_duration_seconds"].GetMetric() {
		u.looks += m.GetHistogram().GetSampleCount()
	}
	for _, m := range families["weir_check_duration_seconds"].GetMetric() {
		u.checks += m.GetHistogram().GetSampleCount()
	}
	for _, m := range families["weir_check_cache_total"].GetMetric() {
		n := uint64(m.GetCounter().GetValue())
		if m.GetLabel()[0].GetValue() == "miss" {
			u.queries += n
		} else {
			u.shared += n
		}
	}
	for _, m := range families["weir_queue_depth"].GetMetric() {
		if m.GetLabel()[0].GetValue() == "canaries" {
			u.queued = int(m.GetGauge().GetValue())
		}
	}
	u.heap, u.goroutines = gauge(families["go_memstats_heap_inuse_bytes"]), int(gauge(families["go_goroutines"]))
	for _, family := range families {
		u.series += len(family.GetMetric())
	}
	return nil
}

func gauge(family *dto.MetricFamily) float64 {
	sum := 0.0
	for _, m := range family.GetMetric() {
		sum += m.GetGauge().GetValue()
	}
	return sum
}

// get asks for a page of the operator's. What is answered is to be closed.
func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return response, nil
}

// save writes a profile of the operator's into a file.
func (op *operator) save(ctx context.Context, profile, file string) error {
	response, err := get(ctx, op.profiles+profile)
	if err != nil {
		return fmt.Errorf("asking the operator for a profile: %w", err)
	}
	defer response.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("writing a profile: %w", err)
	}
	_, err = io.Copy(out, response.Body)
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("writing a profile: %w", err)
	}
	return nil
}

// collect has the operator throw away what it does not need any more.
func (op *operator) collect(ctx context.Context) error {
	response, err := get(ctx, op.profiles+"heap?gc=1")
	if err != nil {
		return fmt.Errorf("asking the operator to collect garbage: %w", err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// beside is the memory that what runs beside the operator had at most: etcd, the API server and the controllers, which are
// children of this process, as the operator is. In MiB.
func beside() map[string]float64 {
	all := map[string]float64{}
	processes, err := procfs.AllProcs()
	if err != nil {
		return all
	}
	for _, p := range processes {
		stat, err := p.Stat()
		if err != nil || stat.PPID != os.Getpid() {
			continue
		}
		if status, err := p.NewStatus(); err == nil {
			all[stat.Comm] = max(all[stat.Comm], mebibytes(status.VmHWM))
		}
	}
	return all
}
