package v1beta1_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

func TestParseCommand(t *testing.T) {
	for _, verb := range v1beta1.Verbs() {
		want := v1beta1.Command{ID: "7", Verb: verb, Reason: "it is late", Actor: "ann"}
		switch verb {
		case v1beta1.VerbApprove:
			want.Gate = "load test"
		case v1beta1.VerbPromote:
			want.Full = true
		}
		raw, err := json.Marshal(want)
		require.NoError(t, err)
		got, err := v1beta1.ParseCommand(string(raw))
		require.NoError(t, err, verb)
		assert.Equal(t, want, got)
	}
}

func TestParseCommandTakes(t *testing.T) {
	for name, annotation := range map[string]string{
		"the least":      `{"id": "1", "verb": "pause"}`,
		"space around":   "\n {\"id\": \"1\", \"verb\": \"pause\"}\n",
		"the longest id": `{"id": "` + strings.Repeat("é", 128) + `", "verb": "abort"}`,
		"long texts": `{"id": "1", "verb": "approve", "gate": "` + strings.Repeat("é", 512) + `", "reason": "` +
			strings.Repeat("é", 512) + `"}`,
		"promotion by steps": `{"id": "1", "verb": "promote", "full": false}`,
	} {
		_, err := v1beta1.ParseCommand(annotation)
		assert.NoError(t, err, name)
	}
}

func TestParseCommandRefuses(t *testing.T) {
	const noObject = `is not a JSON object like {"id": "1", "verb": "pause"}`
	const noID, tooLong = "needs an id of 1 to 128 characters", "more than 512 characters"
	long := strings.Repeat("a", 513)
	for name, c := range map[string]struct{ annotation, says string }{
		"nothing":                     {"", noObject},
		"a word":                      {"pause", noObject},
		"a list":                      {`[{"id": "1", "verb": "pause"}]`, noObject},
		"half an object":              {`{"id": "1", "verb": "pau`, noObject},
		"two objects":                 {`{"id": "1", "verb": "pause"} {"id": "2", "verb": "resume"}`, "there is more after it"},
		"something after it":          {`{"id": "1", "verb": "pause"} }`, "there is more after it"},
		"a number as id":              {`{"id": 1, "verb": "pause"}`, noObject},
		"a word as full":              {`{"id": "1", "verb": "promote", "full": "yes"}`, noObject},
		"a field too many":            {`{"id": "1", "verb": "promote", "fully": true}`, `unknown field "fully"`},
		"a long field":                {`{"id": "1", "` + strings.Repeat("f", 100_000) + `": true}`, noObject},
		"null":                        {"null", noID},
		"no id":                       {`{"verb": "pause"}`, noID},
		"a long id":                   {`{"id": "` + strings.Repeat("a", 129) + `", "verb": "pause"}`, noID},
		"no verb":                     {`{"id": "1"}`, `has the verb ""; the verbs are [promote pause resume abort`},
		"another verb":                {`{"id": "1", "verb": "rollback"}`, `has the verb "rollback"; the verbs are`},
		"a verb as it is not spelled": {`{"id": "1", "verb": "Pause"}`, `has the verb "Pause"; the verbs are`},
		"a long verb":                 {`{"id": "1", "verb": "` + strings.Repeat("v", 100_000) + `"}`, "the verbs are"},
		"approval of none":            {`{"id": "1", "verb": "approve"}`, "approves no gate; name one in its field gate"},
		"pause of a gate":             {`{"id": "1", "verb": "pause", "gate": "a"}`, "names a gate, which only the verb approve does"},
		"a full pause":                {`{"id": "1", "verb": "pause", "full": true}`, "is full, which only the verb promote can be"},
		"a long reason":               {`{"id": "1", "verb": "pause", "reason": "` + long + `"}`, tooLong},
		"a long actor":                {`{"id": "1", "verb": "pause", "actor": "` + long + `"}`, tooLong},
		"a long gate":                 {`{"id": "1", "verb": "approve", "gate": "` + long + `"}`, tooLong},
	} {
		got, err := v1beta1.ParseCommand(c.annotation)
		require.Error(t, err, name)
		assert.Zero(t, got, name)
		assert.Contains(t, err.Error(), "annotation weir.dev/command ", name)
		assert.Contains(t, err.Error(), c.says, name)
		assert.Less(t, len(err.Error()), 400, "%s: a person reads it in an event", name)
	}
}
