package metrics

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		says   string
	}{
		"a number":               {[]float64{0}, ""},
		"a number beside NaN":    {[]float64{math.NaN(), 1}, ""},
		"nothing":                {nil, "the query gave no data"},
		"NaN":                    {[]float64{math.NaN()}, "the query gave NaN"},
		"infinity":               {[]float64{math.Inf(-1)}, "the query gave -Inf"},
		"several, but no number": {[]float64{math.NaN(), math.Inf(1)}, "the query gave NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			var samples []Sample
			for _, v := range c.values {
				samples = append(samples, Sample{Value: v})
			}
			got, err := Answer(samples)
			if c.says == "" {
				require.NoError(t, err)
				require.Len(t, got, len(samples))
				return
			}
			require.ErrorIs(t, err, NoData)
			require.EqualError(t, err, c.says)
			require.Empty(t, got)
		})
	}
}

func TestErrorKinds(t *testing.T) {
	for kind, err := range map[Kind]*Error{
		NoData: NoDataf("a %d", 1), Rejected: Rejectedf("a %d", 1), Transport: Transportf("a %d", 1),
	} {
		for _, other := range []Kind{NoData, Rejected, Transport} {
			assert.Equal(t, kind == other, assert.ObjectsAreEqual(err.Unwrap(), other))
		}
		assert.ErrorIs(t, err, kind)
		assert.EqualError(t, err, "a 1")
		assert.Equal(t, kind == NoData, err.NoData())
	}
}

func TestQuote(t *testing.T) {
	assert.Equal(t, "parse error at char 3", Quote("parse error\n\tat char 3 "))
	assert.Equal(t, "bad … and …", Quote("bad abc and abcdef", "", "abc", "abcdef"))
	assert.Equal(t, "bad", Quote("b\xffad"))
	long := Quote(strings.Repeat("ü", 1000))
	assert.LessOrEqual(t, len(long), longestQuote+len("…"))
	assert.True(t, strings.HasSuffix(long, "ü…"), long)
}

// FuzzQuote: a server's words are one short line of text, and no secret is in them, however the server spells it.
func FuzzQuote(f *testing.F) {
	f.Add("parse error near token", "token", "key")
	f.Add("to\xffken", "token", "")
	f.Add("a\n b", "a b", "x")
	f.Add("aab…cc", "a…c", "b")
	f.Add(strings.Repeat("ü", 300), "ü ü", "\xbc")
	f.Fuzz(func(t *testing.T, words, one, other string) {
		got := Quote(words, one, other)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), longestQuote+len("…"))
		require.Equal(t, strings.Join(strings.Fields(got), " "), got)
		for _, secret := range []string{one, other} {
			const mark = "…"
			if secret != "" && !strings.Contains(mark, secret) {
				require.NotContains(t, got, secret)
			}
		}
	})
}
