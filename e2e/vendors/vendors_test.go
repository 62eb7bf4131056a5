// Package vendors_test holds what alerts send, as the golden files of pkg/alert have it, to code and types of those who
// are sent it. None of them is called.
package vendors_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const tools = "../tools/vendors"

// sent is a request, and whose it is.
type sent struct {
	Kind string          `json:"kind"`
	URL  string          `json:"url"`
	Body json.RawMessage `json:"body"`
	file string
}

// golden are the requests of the golden files of some kinds.
func golden(t *testing.T, kinds ...string) []sent {
	t.Helper()
	var all []sent
	for _, kind := range kinds {
		folder, below, _ := strings.Cut(kind, "/")
		files, err := filepath.Glob(filepath.Join("../../pkg/alert", folder, "testdata", below, "*.json"))
		require.NoError(t, err)
		require.Greater(t, len(files), 5, kind)
		for _, file := range files {
			content, err := os.ReadFile(file)
			require.NoError(t, err)
			var requests []sent
			require.NoError(t, json.Unmarshal(content, &requests), file)
			for _, r := range requests {
				r.Kind, r.file = kind, file
				all = append(all, r)
			}
		}
	}
	return all
}

// spoiled are the same requests with something in each that its vendor does not have.
func spoiled(all []sent) []sent {
	marks := map[string][2]string{
		"pagerduty": {`"summary":`, `"sumup":`},
		"opsgenie":  {`"source":`, `"sauce":`},
		"webhook":   {`"specversion":"1.0"`, `"specversion":"7"`},
		"gchat":     {`"textParagraph":`, `"textParagraf":`},
		"slack":     {`"verbatim":`, `"verbatm":`},
		"slack/bot": {`"plain_text"`, `"plain"`},
		"discord":   {`"embeds":[{`, `"embeds":[{"colour":1,`},
		"msteams":   {`"TextRun"`, `"TextWalk"`},
		"rocket":    {`"text":"`, `"text":"@all *x* `},
	}
	var bad []sent
	for _, s := range all {
		mark := marks[s.Kind]
		var one bytes.Buffer
		if json.Compact(&one, s.Body) != nil || !strings.Contains(one.String(), mark[0]) {
			continue
		}
		s.Body = json.RawMessage(strings.Replace(one.String(), mark[0], mark[1], 1))
		bad = append(bad, s)
	}
	return bad
}

// says gives what a program says of requests, by the number of the request from 1.
func says(t *testing.T, program *exec.Cmd, all []sent) map[int]string {
	t.Helper()
	var lines bytes.Buffer
	for _, s := range all {
		line, err := json.Marshal(s)
		require.NoError(t, err)
		lines.Write(append(line, '\n'))
	}
	program.Stdin, program.Stderr = &lines, t.Output()
	out, err := program.Output()
	require.NoError(t, err)
	said := map[int]string{}
	for line := range strings.Lines(string(out)) {
		var n int
		_, err := fmt.Sscan(line, &n)
		require.NoError(t, err, line)
		said[n] += line
	}
	return said
}

func testVendors(t *testing.T, program func() *exec.Cmd, kinds ...string) {
	all := golden(t, kinds...)
	for n, complaint := range says(t, program(), all) {
		if n == 0 {
			t.Error(complaint)
			continue
		}
		t.Errorf("%s: %s", all[n-1].file, complaint)
	}
	bad := spoiled(all)
	said := says(t, program(), bad)
	seen := map[string]bool{}
	for i, s := range bad {
		assert.NotEmpty(t, said[i+1], "%s is taken with a mistake in it: %.300s", s.file, s.Body)
		seen[s.Kind] = true
	}
	assert.Len(t, seen, len(kinds), "of some vendor no mistake was tried")
}

// TestModules asks the SDKs of PagerDuty, Opsgenie and CloudEvents, and Google's description of its API.
func TestModules(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "vendors")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Dir, build.Env = tools, append(os.Environ(), "GOWORK=off")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	testVendors(t, func() *exec.Cmd {
		c := exec.CommandContext(t.Context(), binary)
		c.Dir, c.Env = tools, append(os.Environ(), "GOWORK=off")
		return c
	}, "pagerduty", "opsgenie", "webhook", "gchat")
}

// TestPackages asks Slack's types, Microsoft's reader of cards, Rocket.Chat's reader of messages, and the types of
// Discord's API that its libraries share.
func TestPackages(t *testing.T) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	folder := installed(t)
	testVendors(t, func() *exec.Cmd {
		return exec.CommandContext(t.Context(), "node", filepath.Join(folder, "check.cjs"))
	}, "slack", "slack/bot", "discord", "msteams", "rocket")
}

// installed is a folder of the user's cache with the packages in it, one for each set of them.
func installed(t *testing.T) string {
	t.Helper()
	lock, err := os.ReadFile(filepath.Join(tools, "package-lock.json"))
	require.NoError(t, err)
	sum := sha256.Sum256(lock)
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	folder := filepath.Join(cache, "weir", "vendors-"+hex.EncodeToString(sum[:4]))
	require.NoError(t, os.MkdirAll(folder, 0o755))
	for _, name := range []string{"package.json", "package-lock.json", "check.cjs"} {
		content, err := os.ReadFile(filepath.Join(tools, name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), content, 0o644))
	}
	done := filepath.Join(folder, "installed")
	if _, err := os.Stat(done); err == nil {
		return folder
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = folder
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoError(t, os.WriteFile(done, nil, 0o644))
	return folder
}
