package v1beta1_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// alertRules are those of who is told of a Canary's runs.
func alertRules() []rule {
	alert := func(a string) string {
		return "spec: {analysis: {alerts: [{name: team, providerRef: {name: slack}, " + a + "}]}}"
	}
	named := func(ref string) string {
		return "spec: {analysis: {alerts: [{name: team, providerRef: {" + ref + "}}]}}"
	}
	name := func(n string) string {
		return "spec: {analysis: {alerts: [{name: " + n + ", providerRef: {name: slack}}]}}"
	}
	return []rule{
		{
			field: "spec.analysis.alerts[0].name",
			yes:   []string{name("team")},
			no:    []string{name(`""`)},
			says:  notEmpty,
		},
		{
			field: "spec.analysis.alerts[0].severity",
			yes:   []string{alert("severity: info"), alert("severity: warn"), alert("severity: error")},
			no:    []string{alert("severity: fatal")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.alerts[0].mute[0]",
			yes:   []string{alert("mute: [NewRevision, GateClosed]")},
			no:    []string{alert("mute: [Everything]")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.alerts[0].providerRef.name",
			yes:   []string{named("name: slack, namespace: team")},
			no:    []string{named(`name: ""`)},
			says:  notEmpty,
		},
		{
			field: "spec.analysis.alerts[0].providerRef.kind",
			yes:   []string{named("name: slack, kind: AlertProvider"), named("name: slack, kind: ClusterAlertProvider")},
			no:    []string{named("name: slack, kind: Pager")},
			says:  oneOf,
		},
		{
			field: "spec.analysis.alerts[0].providerRef",
			yes:   []string{named("name: slack, kind: ClusterAlertProvider")},
			no:    []string{named("name: slack, kind: ClusterAlertProvider, namespace: team")},
			says:  "providerRef.namespace is for kind AlertProvider; a ClusterAlertProvider is in none",
		},
	}
}

func TestSeverityReaches(t *testing.T) {
	all := []v1beta1.AlertSeverity{v1beta1.SeverityInfo, v1beta1.SeverityWarn, v1beta1.SeverityError}
	for i, news := range all {
		for j, least := range all {
			assert.Equal(t, i >= j, news.Reaches(least), "%s for %s", news, least)
		}
		assert.True(t, news.Reaches(""), "nothing said is everything")
	}
}
