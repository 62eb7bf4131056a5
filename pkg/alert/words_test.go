package alert_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func message() alert.Message {
	return alert.Message{
		Severity: v1beta1.SeverityError, Reason: "RolledBack", Text: "revision a of podinfo rolled back: errors: 3 is above 2",
		Cluster: "eu-1", Namespace: "shop", Name: "podinfo",
	}
}

func TestTitle(t *testing.T) {
	m := message()
	assert.Equal(t, "shop/podinfo: rolled back", m.Title())
	assert.Equal(t, "eu-1: shop/podinfo: revision a of podinfo rolled back: errors: 3 is above 2", m.Summary())
	m.Reason, m.Cluster, m.Text = "", "", "it\nis over"
	assert.Equal(t, "shop/podinfo", m.Title())
	assert.Equal(t, "shop/podinfo: it is over", m.Summary())
	assert.Equal(t, "Weir: no data", alert.Message{Reason: "NoData"}.Title())
	assert.Equal(t, []string{"no data"}, alert.Message{Reason: "NoData"}.Paragraphs())
}

func TestParagraphs(t *testing.T) {
	m := message()
	m.Check = &alert.Check{Name: "errors", Message: "3 is above 2"}
	assert.Equal(t, []string{m.Text}, m.Paragraphs(), "the text has it already")
	m.Text = "rolled back"
	assert.Equal(t, []string{"rolled back", "errors: 3 is above 2"}, m.Paragraphs())
	m.Check.Message = "errors: 3 is above 2"
	assert.Equal(t, []string{"rolled back", "errors: 3 is above 2"}, m.Paragraphs())
	m.Body = "mine"
	assert.Equal(t, []string{"mine"}, m.Paragraphs())
}

func TestDigest(t *testing.T) {
	d := alert.Message{Cluster: "eu-1"}
	for i := range 25 {
		one := message()
		if i%3 == 0 {
			one.Reason, one.Text = "Promoted", "promoted"
		}
		if i == 1 {
			one.Reason = ""
		}
		d.Digest = append(d.Digest, one)
	}
	assert.Equal(t, "25 messages of eu-1", d.Title())
	assert.Equal(t, "25 messages of eu-1: 15 rolled back, 9 promoted, 1 others", d.Summary())
	lines := d.Paragraphs()
	require.Len(t, lines, 22)
	assert.Equal(t, "15 rolled back, 9 promoted, 1 others", lines[0])
	assert.Equal(t, "• shop/podinfo: promoted", lines[1])
	assert.Equal(t, "… and 5 more", lines[21])
	d.Text = "a node has failed"
	assert.Equal(t, "a node has failed: 15 rolled back, 9 promoted, 1 others", d.Paragraphs()[0])
}

func TestFacts(t *testing.T) {
	m := message()
	m.Target, m.Revision, m.Images = "Deployment/podinfo", "a", []string{"1", "2", "3", "4", "5", "6", "7"}
	m.Weight, m.MaxWeight, m.Step = 10, 50, "2/5"
	m.Check = &alert.Check{Name: "errors", Value: "3", Baseline: "1"}
	assert.Equal(t, []alert.Fact{
		{Name: "Canary", Value: "podinfo"}, {Name: "Namespace", Value: "shop"}, {Name: "Cluster", Value: "eu-1"},
		{Name: "Target", Value: "Deployment/podinfo"}, {Name: "Revision", Value: "a"},
		{Name: "Images", Value: "1, 2, 3, 4, 5 and 2 more"}, {Name: "Weight", Value: "10 %, 50 % reached"},
		{Name: "Step", Value: "2/5"}, {Name: "Check", Value: "errors: 3, the primary 1"},
	}, m.Facts())
	m.Weight = 0
	assert.Contains(t, m.Facts(), alert.Fact{Name: "Weight", Value: "50 % reached"})
	m.Weight = 50
	assert.Contains(t, m.Facts(), alert.Fact{Name: "Weight", Value: "50 %"})
	assert.Empty(t, alert.Message{}.Facts())
}

func TestSeverities(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range []v1beta1.AlertSeverity{v1beta1.SeverityInfo, v1beta1.SeverityWarn, v1beta1.SeverityError} {
		m := alert.Message{Severity: s}
		assert.Regexp(t, "^#[0-9a-f]{6}$", m.Color())
		seen[m.Color()], seen[m.Mark()] = true, true
	}
	assert.Len(t, seen, 6)
}

func TestPages(t *testing.T) {
	m := alert.Message{Links: []alert.Link{
		{Title: "a", URL: "javascript:alert(1)"}, {Title: "b", URL: "/relative"}, {Title: "c", URL: "https://"},
		{Title: "d", URL: "https://d.example/" + strings.Repeat("x", 2000)}, {Title: "e", URL: "http://e.example/a b|c?d=<e>"},
		{URL: "https://f.example"}, {Title: "g", URL: "https://g.example"},
	}}
	assert.Equal(t, []alert.Link{
		{Title: "e", URL: "http://e.example/a%20b%7Cc?d=%3Ce%3E"}, {Title: "https://f.example", URL: "https://f.example"},
	}, m.Pages(2))
}

func TestIncident(t *testing.T) {
	m := alert.Message{ID: "7", Thread: "shop/podinfo/1"}
	assert.Equal(t, "weir:shop:podinfo:1:error", m.Incident(v1beta1.SeverityError, 255))
	assert.NotEqual(t, m.Incident(v1beta1.SeverityError, 255), m.Incident(v1beta1.SeverityWarn, 255))
	assert.Equal(t, "weir:7:warn", alert.Message{ID: "7"}.Incident(v1beta1.SeverityWarn, 255))
	long := alert.Message{Thread: strings.Repeat("é", 200)}
	cut := long.Incident(v1beta1.SeverityWarn, 255)
	assert.LessOrEqual(t, len(cut), 255)
	assert.True(t, utf8.ValidString(cut))
	assert.NotEqual(t, cut, long.Incident(v1beta1.SeverityError, 255), "what is cut off is not forgotten")
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"podinfo", 7, "podinfo"}, {"podinfo", 6, "podin…"}, {"podinfo", 1, "…"}, {"", 1, ""}, {"é漢", 2, "é漢"},
		{"🙂🙂", 4, "🙂🙂"}, {"🙂🙂", 3, "🙂…"}, {"🙂🙂", 2, "…"}, {"a\xffb", 9, "ab"}, {"a\x00\tb\nc", 9, "a  b\nc"},
	} {
		assert.Equal(t, c.want, alert.Cut(c.text, c.limit, nil), "%q", c.text)
	}
	assert.Equal(t, "a&amp;…", alert.Cut("a&&", 10, alert.InHTML), "what is written is counted")
	assert.Equal(t, "&lt;a&gt;&quot;", alert.Cut(`<a>"`, 99, alert.InHTML))
}

// FuzzCut: it is valid, no longer than allowed, and all of the text where there is room.
func FuzzCut(f *testing.F) {
	f.Add("a<b>&é漢🙂\x00\xff", 5)
	f.Fuzz(func(t *testing.T, text string, limit int) {
		limit = max(1, limit%5000)
		for _, spelled := range []alert.Spelling{nil, alert.InHTML} {
			got := alert.Cut(text, limit, spelled)
			require.True(t, utf8.ValidString(got))
			require.LessOrEqual(t, alert.Size(got), limit)
			if whole := alert.Cut(text, 1<<30, spelled); alert.Size(whole) <= limit {
				require.Equal(t, whole, got)
			}
		}
	})
}

func TestFit(t *testing.T) {
	for _, limit := range []int{20, 100, 1000} {
		written, err := alert.Fit(limit, func(longest int) any { return alert.Cut(strings.Repeat("漢\"", 400), longest, nil) })
		require.NoError(t, err)
		require.True(t, json.Valid(written))
		assert.LessOrEqual(t, len(written), limit)
		assert.Greater(t, len(written), limit/6, "it is not cut more than it must be, by far")
	}
}

func TestMentions(t *testing.T) {
	assert.True(t, alert.Mentions(0, '@'))
	assert.True(t, alert.Mentions(' ', '@'))
	assert.True(t, alert.Mentions('/', '@'))
	assert.False(t, alert.Mentions('x', '@'), "as in image@sha256")
	assert.False(t, alert.Mentions(0, 'a'))
}
