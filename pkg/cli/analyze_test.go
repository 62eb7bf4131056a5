package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/cli"
)

// analyzed runs `analyze` on a manifest and a file of windows.
func analyzed(t *testing.T, windows string, args ...string) (code int, out, err string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "windows.csv")
	require.NoError(t, os.WriteFile(file, []byte(windows), 0o600))
	var stdout, stderr bytes.Buffer
	code = cli.Run(t.Context(), append([]string{"analyze", "-f", "-", "--csv", file}, args...),
		cli.Terminal{In: strings.NewReader(planCanary), Out: &stdout, Err: &stderr, Now: time.Now})
	return code, stdout.String(), strings.ReplaceAll(stderr.String(), file, "windows.csv")
}

// minutes are windows of a minute each, with so many bad requests of a hundred and of nine hundred.
func minutes(bad ...int) string {
	lines := []string{"end, canary_requests, canary_bad, primary_requests, primary_bad"}
	for i, n := range bad {
		lines = append(lines, fmt.Sprintf("2026-11-27T20:%02d:00Z, 100, %d, 900, 9", i+1, n))
	}
	return strings.Join(lines, "\n") + "\n"
}

func TestAnalyzeAFile(t *testing.T) {
	code, out, err := analyzed(t, minutes(1, 12, 11, 13, 12))
	require.Zero(t, code, err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	assert.Equal(t, "Canary podinfo, from 2026-11-27T20:00:00Z for 5m", lines[0])
	assert.Regexp(t, `^AFTER +CHECK +VERDICT +CANARY +PRIMARY +EVIDENCE +FAILED ROUNDS$`, lines[2])
	assert.Regexp(t, `^1m +guard +Passed +1 +1 +[0-9.]+ of 1000 +0$`, lines[3])
	assert.Regexp(t, `^1m +request-success-rate +Passed +1 +1 +[0-9.]+ of 20 +0$`, lines[4])
	assert.Regexp(t, `^It would have been rolled back after [2-5]m: 1 of 1 failed rounds: request-success-rate: [0-9.]+ % of `+
		`[0-9]+ requests failed, of the primary's [0-9]+ 1 %; that is [0-9.]+ times as many, and 1.25 are tolerated; `,
		lines[len(lines)-1])

	code, out, _ = analyzed(t, minutes(1, 1, 2, 0, 1))
	require.Zero(t, code)
	assert.Contains(t, out, "\nNothing would have rolled it back in 5 rounds.\n")

	_, out, _ = analyzed(t, minutes(1, 1), "-o", "json")
	var report struct {
		Rounds int
		Looks  []struct {
			Checks []struct{ Name, Verdict string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report))
	assert.Equal(t, 2, report.Rounds)
	assert.Equal(t, "guard", report.Looks[0].Checks[0].Name)
}

func TestAnalyzeABadFile(t *testing.T) {
	const head = "end,canary_requests,canary_bad,primary_requests,primary_bad\n"
	for windows, says := range map[string]string{
		"":                                "windows.csv is no file of windows: EOF",
		"end,canary\n":                    `windows.csv: column "canary" is none of end, canary_requests, canary_bad, `,
		"end,canary_requests\n":           "windows.csv has no column canary_bad; it needs end, canary_requests, ",
		head:                              "windows.csv has no window",
		head + "soon,1,1,1,1\n":           `windows.csv:2: "soon" is no time; write it as in 2026-11-27T20:15:00Z, or in seconds`,
		head + "60,1,x,1,1\n":             `windows.csv:2: canary_bad "x" is not a number of 0 or more`,
		head + "60,1,2,1,1\n":             "windows.csv:2: more requests are bad than there are",
		head + "60,1,1\n":                 "windows.csv: record on line 2: wrong number of fields",
		head + "60,1,1,1,1\n60,1,1,1,1\n": "windows.csv:3: the window does not end after it begins",
		"start," + head + "0,60,1,1,1,1\n30,90,1,1,1,1\n": "windows.csv:3: the window begins before the one above it ends",
		"weight," + head + "101,60,1,1,1,1\n":             "windows.csv:2: weight 101 is not a percentage",
	} {
		code, _, err := analyzed(t, windows)
		assert.Equal(t, 1, code)
		assert.Contains(t, err, says)
	}
	_, _, err := analyzed(t, minutes(1), "-o", "xml")
	assert.Contains(t, err, "-o xml is not known; it is json, or left out")
}

// history is a Prometheus that knows what was counted at any time: a hundred of the canary's requests a second since it
// got traffic, of which so many are bad, and nine times as many of the primary's.
func (b *bench) history(from time.Time, bad float64) (address string) {
	b.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at, err := strconv.ParseFloat(r.FormValue("time"), 64)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		seconds := math.Max(0, at-float64(from.UnixMilli())/1000)
		always := at - float64(from.Add(-time.Hour).UnixMilli())/1000
		var series []string
		for what, value := range map[string]float64{
			"canary/all": 100 * seconds, "canary/bad": 100 * bad * seconds, "primary/all": 900 * always, "primary/bad": 9 * always,
		} {
			series = append(series, fmt.Sprintf(`{"metric":{"instance":"a","weir":"0/%s"},"value":[%v,"%.0f"]}`, what, at, value))
		}
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, strings.Join(series, ","))
	}))
	b.Cleanup(server.Close)
	return server.URL
}

func analyzesThePast(b *bench) {
	from := time.Date(2026, 11, 27, 20, 0, 0, 0, time.UTC)
	b.measured("http://nowhere", `{name: request-success-rate, comparison: {}}`)
	at := []string{"--from", "2026-11-27T20:00:00Z", "--to", "2026-11-27T20:05:00Z"}
	analyze := func(address string, more ...string) typed {
		return b.types(append(append([]string{"analyze", "podinfo", "--address", address}, at...), more...)...)
	}
	good := analyze(b.history(from, 0.01))
	require.Zero(b, good.code, good.err)
	assert.Contains(b, good.out, "\nNothing would have rolled it back in 10 rounds.\n")
	st := b.canary().Status
	assert.Contains(b, good.out, fmt.Sprintf("Canary podinfo, revision %s beside %s, from 2026-11-27T20:00:00Z for 5m",
		st.Canary.Hash, st.Primary.Hash))
	bad := analyze(b.history(from, 0.1))
	assert.Regexp(b, `\nIt would have been rolled back after [0-9]0s: guard: 10 % of `, bad.out, "sooner than the first round")

	none, _ := b.prometheus()
	assert.Contains(b, analyze(none).out, "request-success-rate never had an answer: no requests of canary and primary are counted")
	for says, args := range map[string][]string{
		"no run of Canary podinfo is over; give --from and --to":            {},
		"give --from and --to, or --run":                                    {"--from", "1"},
		"--to: \"later\" is no time":                                        {"--from", "1", "--to", "later"},
		"--to must come after --from":                                       {"--from", "2", "--to", "1"},
		"-f goes with --csv":                                                {"-f", "canary.yaml"},
		"are more than 2000 looks; give --from and --to that are nearer to": {"--from", "0", "--to", "86400"},
	} {
		got := b.types(append([]string{"analyze", "podinfo"}, args...)...)
		assert.Equal(b, 1, got.code)
		assert.Contains(b, got.err, says)
	}
}
