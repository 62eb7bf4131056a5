package builtin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/alert/builtin"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// types are those that the API server takes.
func types(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("../../../artifacts/crds/weir.dev_alertproviders.yaml")
	require.NoError(t, err)
	crd := &apiextensionsv1.CustomResourceDefinition{}
	require.NoError(t, yaml.UnmarshalStrict(content, crd))
	var all []string
	for _, value := range crd.Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"].Properties["type"].Enum {
		var name string
		require.NoError(t, json.Unmarshal(value.Raw, &name))
		all = append(all, name)
	}
	require.Len(t, all, 9)
	return all
}

// TestNew makes every type that may be written, and tells each a message.
func TestNew(t *testing.T) {
	for _, kind := range types(t) {
		t.Run(kind, func(t *testing.T) {
			var path, authorization, signature string
			var body []byte
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path, authorization, signature = r.URL.Path, r.Header.Get("Authorization"), r.Header.Get("X-Weir-Signature-256")
				body, _ = io.ReadAll(r.Body)
				_, _ = w.Write([]byte(`{"ok":true,"success":true}`))
			}))
			defer server.Close()
			spec := v1beta1.AlertChannel{
				Type: kind, Channel: "releases", Address: "http://127.0.0.1:1", Template: "mine: {{ .Text }}",
			}
			secret := map[string][]byte{
				"address": []byte(server.URL + "/from-the-secret\n"), "token": []byte("token\n"), "hmacKey": []byte("key"),
			}
			c, err := builtin.New(spec, secret, nil)
			require.NoError(t, err)
			require.NoError(t, c.Send(t.Context(), alert.Message{ID: "1", Severity: v1beta1.SeverityError, Text: "a"}))
			assert.Contains(t, path, "/from-the-secret", "the Secret's address goes before that of the spec")
			assert.Contains(t, string(body), "mine: a")
			switch kind {
			case "slack", "webhook":
				assert.Equal(t, "Bearer token", authorization)
			case "opsgenie":
				assert.Equal(t, "GenieKey token", authorization)
			case "pagerduty":
				assert.Contains(t, string(body), `"routing_key":"token"`)
			case "telegram":
				assert.Contains(t, path, "/bottoken/")
			default:
				assert.NotContains(t, string(body)+authorization+path, "token")
			}
			assert.Equal(t, kind == "webhook", signature != "")
		})
	}
}

func TestUsername(t *testing.T) {
	for username, want := range map[string]string{"": `"weir"`, "releases": `"releases"`} {
		var body []byte
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { body, _ = io.ReadAll(r.Body) }))
		c, err := builtin.New(v1beta1.AlertChannel{Type: "slack", Address: server.URL, Username: username}, nil, nil)
		require.NoError(t, err)
		require.NoError(t, c.Send(t.Context(), alert.Message{ID: "1", Text: "a"}))
		server.Close()
		assert.Contains(t, string(body), `"username":`+want)
	}
}

func TestMissing(t *testing.T) {
	for _, c := range []struct {
		spec   v1beta1.AlertChannel
		secret map[string][]byte
		says   string
	}{
		{v1beta1.AlertChannel{Type: "pigeon"}, nil, `there is no alert provider of type "pigeon"`},
		{v1beta1.AlertChannel{Type: "slack"}, nil,
			"type slack needs a Secret with the key address; name it in spec.secretRef, or set spec.address"},
		{v1beta1.AlertChannel{Type: "discord"}, map[string][]byte{"token": []byte("a")},
			"the Secret of spec.secretRef has no key address, which type discord needs; add it, or set spec.address"},
		{v1beta1.AlertChannel{Type: "pagerduty", Address: "https://a.example"}, nil,
			"type pagerduty needs a Secret with the key token; name it in spec.secretRef"},
		{v1beta1.AlertChannel{Type: "opsgenie"}, map[string][]byte{"token": []byte("\n")},
			"the Secret of spec.secretRef has no key token, which type opsgenie needs; add it"},
		{v1beta1.AlertChannel{Type: "telegram"}, map[string][]byte{"token": []byte("a")},
			"type telegram needs spec.channel, the id of the chat or its @name"},
		{v1beta1.AlertChannel{Type: "msteams", Address: "https://a.example", Template: "{{"}, nil,
			"spec.template is not a template: spec.template:1: unclosed action"},
	} {
		_, err := builtin.New(c.spec, c.secret, nil)
		require.ErrorIs(t, err, alert.Rejected)
		assert.EqualError(t, err, c.says)
	}
}

func TestCheck(t *testing.T) {
	for _, kind := range types(t) {
		require.NoError(t, builtin.Check(v1beta1.AlertChannel{Type: kind, Channel: "releases"}, true), kind)
	}
	require.NoError(t, builtin.Check(v1beta1.AlertChannel{Type: "slack"}, true), "its Secret may have an address")
	require.ErrorContains(t, builtin.Check(v1beta1.AlertChannel{Type: "slack"}, false), "needs a Secret with the key address")
	endless := v1beta1.AlertChannel{Type: "gchat", Template: "{{ range 9 }}{{ end }}"}
	require.ErrorContains(t, builtin.Check(endless, true), "may range over")
}

func TestEventWebhook(t *testing.T) {
	for cloudEvents, want := range map[bool]string{false: "application/json", true: "application/cloudevents+json"} {
		var got string
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Content-Type")
		}))
		c, err := builtin.EventWebhook(server.URL, cloudEvents)
		require.NoError(t, err)
		require.NoError(t, c.Send(t.Context(), alert.Message{ID: "1", Text: "a"}))
		server.Close()
		assert.Equal(t, want, got)
	}
	_, err := builtin.EventWebhook("nowhere", false)
	require.ErrorIs(t, err, alert.Rejected)
}
