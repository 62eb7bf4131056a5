package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// chat is a server that says the same to each message, and keeps the last one.
func (b *bench) chat(code int, says string) (address string, heard func() string) {
	b.Helper()
	last := make(chan string, 8)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		last <- string(body)
		w.Header().Set("Retry-After", "90")
		http.Error(w, says, code)
	}))
	b.Cleanup(server.Close)
	return server.URL, func() string { return <-last }
}

// told makes an AlertProvider, and a Secret with the address that it has none of.
func (b *bench) told(name, address, more string) {
	b.Helper()
	_, err := b.kube.CoreV1().Secrets(b.namespace).Create(b.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: map[string]string{"address": address + "/secret-hook\n"},
	}, metav1.CreateOptions{})
	require.NoError(b, err)
	p := read[v1beta1.AlertProvider](b, fmt.Sprintf("metadata: {name: %[1]s}\nspec: {secretRef: {name: %[1]s}, %[2]s}", name, more))
	_, err = b.weir.WeirV1beta1().AlertProviders(b.namespace).Create(b.Context(), p, metav1.CreateOptions{})
	require.NoError(b, err)
}

func testsAlerts(b *bench) {
	address, heard := b.chat(http.StatusOK, "ok")
	b.told("slack", address, "type: slack, channel: releases")
	got := b.types("alert", "test", "slack")
	assert.Equal(b, typed{out: "AlertProvider slack has taken the message, of severity info\n"}, got)
	said := heard()
	assert.Contains(b, said, `"channel":"releases"`)
	assert.Contains(b, said, b.namespace+"/slack: this is a test of AlertProvider slack, sent by `kubectl weir alert test`")

	b.told("mine", address, `type: slack, template: "mine: {{ .Severity }}"`)
	got = b.types("alert", "test", "mine", "--severity", "error")
	assert.Equal(b, "AlertProvider mine has taken the message, of severity error\n", got.out)
	assert.Contains(b, heard(), "mine: error")

	name := b.namespace // there is one cluster for all tests
	p := read[v1beta1.ClusterAlertProvider](b, fmt.Sprintf(
		"metadata: {name: %[1]s}\nspec: {type: gchat, secretRef: {name: slack, namespace: %[1]s}}", name))
	_, err := b.weir.WeirV1beta1().ClusterAlertProviders().Create(b.Context(), p, metav1.CreateOptions{})
	require.NoError(b, err)
	got = b.types("alert", "test", name, "--cluster")
	assert.Equal(b, "ClusterAlertProvider "+name+" has taken the message, of severity info\n", got.out, got.err)
	assert.Contains(b, heard(), "this is a test of ClusterAlertProvider "+name)
	flags := []string{"__complete", "--kubeconfig", b.kubeconfig, "-n", b.namespace, "alert", "test"}
	assert.Contains(b, offline(append(flags, "")...).out, "slack\tslack\n")
	assert.Contains(b, offline(append(flags, "--cluster", "")...).out, name+"\tgchat\n")
}

func testsAlertsInVain(b *bench) {
	refusing, _ := b.chat(http.StatusNotFound, "channel_not_found")
	b.told("refusing", refusing, "type: slack")
	busy, _ := b.chat(http.StatusTooManyRequests, "wait")
	b.told("busy", busy, "type: slack")
	b.told("away", "http://127.0.0.1:1", "type: discord")
	b.told("lacking", "http://127.0.0.1:1", "type: pagerduty")
	secretless := read[v1beta1.AlertProvider](b, "metadata: {name: secretless}\nspec: {type: slack, secretRef: {name: none}}")
	_, err := b.weir.WeirV1beta1().AlertProviders(b.namespace).Create(b.Context(), secretless, metav1.CreateOptions{})
	require.NoError(b, err)
	for says, args := range map[string]string{
		"AlertProvider refusing was not told: Slack at 127.0.0.1:":                              "refusing",
		"has nothing there (HTTP 404): channel_not_found; check the address and the channel\n":  "refusing",
		"has had too many messages (HTTP 429): wait; it wants to be left alone for 1m30s\n":     "busy",
		"away was not told: 127.0.0.1:1 cannot be reached: connect: connection refused; trying": "away",
		"lacking: the Secret of spec.secretRef has no key token, which type pagerduty needs":    "lacking",
		"reading the Secret of AlertProvider secretless: secrets \"none\" not found":            "secretless",
		"no AlertProvider other in namespace " + b.namespace + "; give --cluster for a Cluster": "other",
		"there is no ClusterAlertProvider refusing; leave out --cluster for one of a namespace": "refusing --cluster",
		"give the name of one AlertProvider, as in: kubectl weir alert test slack":              "",
		"--severity must be info, warn or error":                                                "refusing --severity fatal",
	} {
		got := b.types(append([]string{"alert", "test"}, strings.Fields(args)...)...)
		assert.Equal(b, 1, got.code)
		assert.Contains(b, got.err, says)
		assert.NotContains(b, got.err, "secret-hook")
		assert.Empty(b, got.out)
	}
}
