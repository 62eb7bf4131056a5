package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"weir.dev/weir/pkg/loadtest/traffic"
)

// load is what is sent: at a rate, or as fast as answers come; to a target that waits.
type load struct {
	each, wait time.Duration
	rate       float64
}

// result is what a tool says of a load, and how that differs from what the target says. Times are in milliseconds.
type result struct {
	achieved, perCPU, p50, p99 float64
	// seen is the rate that the target has counted.
	seen, off50, off99 float64
}

// tool is a program that sends.
type tool struct {
	name string
	// paced says that it can be given a rate.
	paced bool
	// words that begin a load.
	words func(l load, url string) []string
	// read finds achieved rate and quantiles in what it prints.
	read func(output string) (result, error)
}

// tools are the load tester, and those of the others that are there.
func tools() []tool {
	found := []tool{own()}
	for _, t := range []tool{hey(), ab(), wrk()} {
		if _, err := exec.LookPath(t.name); err == nil {
			found = append(found, t)
		}
	}
	return found
}

// measure has a tool send a load.
func (t *target) measure(ctx context.Context, with tool, l load) (result, error) {
	if _, err := t.counted(ctx); err != nil {
		return result{}, err
	}
	words := with.words(l, t.url+"?wait="+l.wait.String())
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	if with.name == "ab" {
		cmd.Stderr = nil // it tells of its progress there
	}
	output, err := cmd.Output()
	if err != nil {
		return result{}, fmt.Errorf("sending: %w", err)
	}
	r, err := with.read(string(output))
	if err != nil {
		return result{}, fmt.Errorf("%w in:\n%s", err, output)
	}
	itself, err := t.counted(ctx)
	if err != nil {
		return result{}, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	r.perCPU = r.achieved * l.each.Seconds() / used.Seconds()
	r.seen = float64(itself.Count) / l.each.Seconds()
	r.off50, r.off99 = r.p50-itself.P50, r.p99-itself.P99
	return r, nil
}

// own is the load tester, by the same code, in a process of its own.
func own() tool {
	return tool{
		name: "weir-loadtester", paced: true,
		words: func(l load, url string) []string {
			task, _ := json.Marshal(map[string]string{ // of strings, that cannot fail
				"url": url, "rate": fmt.Sprint(l.rate), "duration": l.each.String(), "concurrency": strconv.Itoa(concurrency),
			})
			program, err := os.Executable()
			if err != nil {
				program = os.Args[0]
			}
			return []string{program, "-role=send", "-task=" + string(task)}
		},
		read: func(output string) (result, error) {
			var r traffic.Report
			if err := json.Unmarshal([]byte(output), &r); err != nil {
				return result{}, fmt.Errorf("no report: %w", err)
			}
			if r.Succeeded != r.Requests {
				return result{}, fmt.Errorf("%d of %d requests failed", r.Requests-r.Succeeded, r.Requests)
			}
			return result{achieved: r.AchievedRate, p50: r.Latency.P50, p99: r.Latency.P99}, nil
		},
	}
}

// send is the load tester's process.
func send(ctx context.Context, task string, out io.Writer) error {
	metadata := map[string]string{}
	if err := json.Unmarshal([]byte(task), &metadata); err != nil {
		return fmt.Errorf("reading the task: %w", err)
	}
	limits := traffic.Limits{Rate: 1e6, Concurrency: concurrency, Duration: time.Minute}
	sender, err := traffic.HTTPOf(metadata, limits)
	if err != nil {
		return err
	}
	report, err := sender.Run(ctx, func(traffic.Answer) {})
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(report)
}

func seconds(d time.Duration) string { return strconv.Itoa(int(d.Seconds())) }

func hey() tool {
	return tool{
		name: "hey", paced: true,
		words: func(l load, url string) []string {
			words := []string{"hey", "-z", l.each.String(), "-c", strconv.Itoa(concurrency), "-cpus", "1"}
			if l.rate > 0 {
				words = append(words, "-q", fmt.Sprint(l.rate/concurrency))
			}
			return append(words, url)
		},
		read: reader(`Requests/sec:\s+([\d.]+)`, `50%+ in ([\d.]+) (secs)`, `99%+ in ([\d.]+) (secs)`),
	}
}

func ab() tool {
	return tool{
		name: "ab",
		words: func(l load, url string) []string {
			return []string{"ab", "-k", "-t", seconds(l.each), "-n", "10000000", "-c", strconv.Itoa(concurrency), url}
		},
		read: reader(`Requests per second:\s+([\d.]+)`, `\n\s+50%\s+(\d+)()`, `\n\s+99%\s+(\d+)()`),
	}
}

func wrk() tool {
	return tool{
		name: "wrk",
		words: func(l load, url string) []string {
			return []string{"wrk", "-t", "1", "-c", strconv.Itoa(concurrency), "-d", seconds(l.each), "--latency", url}
		},
		read: reader(`Requests/sec:\s+([\d.]+)`, `50%\s+([\d.]+)(us|ms|s)`, `99%\s+([\d.]+)(us|ms|s)`),
	}
}

// reader finds three numbers by patterns; those of times have the unit as a second group.
func reader(achieved, p50, p99 string) func(string) (result, error) {
	find := func(pattern, output string) (float64, string, error) {
		found := regexp.MustCompile(pattern).FindStringSubmatch(output)
		if found == nil {
			return 0, "", fmt.Errorf("nothing like %s", pattern)
		}
		value, err := strconv.ParseFloat(found[1], 64)
		return value, found[len(found)-1], err
	}
	inMS := map[string]float64{"us": 1e-3, "ms": 1, "": 1, "s": 1e3, "secs": 1e3}
	return func(output string) (r result, err error) {
		if r.achieved, _, err = find(achieved, output); err != nil {
			return r, err
		}
		for pattern, to := range map[string]*float64{p50: &r.p50, p99: &r.p99} {
			value, unit, err := find(pattern, output)
			if err != nil {
				return r, err
			}
			*to = value * inMS[unit]
		}
		return r, nil
	}
}
