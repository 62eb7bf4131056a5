package alerttest

import (
	"fmt"
	"strings"
	"time"

	"weir.dev/weir/pkg/alert"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

// at is when everything in the messages happens.
func at() time.Time { return time.Date(2026, 11, 23, 20, 37, 4, 0, time.UTC) }

// Messages are those that the golden files show, by their names.
func Messages() map[string]alert.Message {
	return map[string]alert.Message{
		"started":    started(),
		"promoted":   promoted(),
		"rolledback": rolledBack(),
		"nodata":     noData(),
		"digest":     digest(),
		"least":      {ID: "7", Severity: v1beta1.SeverityError, Text: "this is all that is known", At: at()},
		"hostile":    Hostile(),
	}
}

func started() alert.Message {
	return alert.Message{
		ID: "shop/podinfo/ddc78cb592-1795466185/started", Thread: "shop/podinfo/ddc78cb592-1795466185",
		Severity: v1beta1.SeverityInfo, Reason: "NewRevision", At: at(), Phase: "Progressing", Step: "1/3",
		Text:    "new revision ddc78cb592 of podinfo detected; its steps are 10 %, 50 %, 100 %",
		Cluster: "eu-1", Namespace: "shop", Name: "podinfo", Target: "Deployment/podinfo",
		Revision: "ddc78cb592", Images: []string{"registry.example/podinfo:6.9.3", "registry.example/proxy@sha256:0b1c"},
	}
}

func promoted() alert.Message {
	m := started()
	m.ID, m.Reason, m.Resolved = m.Thread+"/ended", "Promoted", true
	m.Text, m.Phase, m.Step, m.MaxWeight = "revision ddc78cb592 of podinfo promoted: every step passed", "Succeeded", "", 100
	m.Links = links()
	return m
}

func links() []alert.Link {
	return []alert.Link{
		{Title: "Runbook", URL: "https://wiki.example/podinfo"},
		{Title: "Dashboard", URL: "https://grafana.example/d/podinfo?var-namespace=shop&from=now-1h"},
	}
}

func rolledBack() alert.Message {
	m := started()
	m.ID, m.Severity, m.Reason = m.Thread+"/ended", v1beta1.SeverityError, "RolledBack"
	m.Text = "revision ddc78cb592 of podinfo rolled back at weight 10: CheckFailed: " +
		"request-success-rate: 86.0081 is below the minimum 99"
	m.Phase, m.Step, m.MaxWeight = "Failed", "1/3", 10
	m.Check = &alert.Check{
		Name: "request-success-rate", Value: "86.0081", Baseline: "99.97",
		Message: "86.0081 is below the minimum 99",
	}
	m.Links = links()
	return m
}

func noData() alert.Message {
	m := started()
	m.ID, m.Severity, m.Reason = m.Thread+"/nodata", v1beta1.SeverityWarn, "NoData"
	m.Text, m.Weight = "the run has had no data for 10m", 10
	m.Check = &alert.Check{Name: "queue", Message: "the query gave no data"}
	return m
}

func digest() alert.Message {
	d := alert.Message{
		ID: "digest/7", Severity: v1beta1.SeverityError, Reason: "Digest", At: at(), Cluster: "eu-1",
	}
	for i, name := range []string{"cart", "checkout", "podinfo", "search", "users"} {
		m := rolledBack()
		if i%2 == 1 {
			m = promoted()
		}
		m.ID, m.Name, m.Links = fmt.Sprintf("digest/%d", i), name, nil
		m.Text = strings.ReplaceAll(m.Text, "podinfo", name)
		d.Digest = append(d.Digest, m)
	}
	return d
}

// Hostile says what could be taken for a mention, a format or a tag.
func Hostile() alert.Message {
	m := rolledBack()
	m.Text = hostile
	m.Check = &alert.Check{Name: hostile, Value: hostile, Message: "check: " + hostile}
	m.Images, m.Revision, m.Cluster, m.Name, m.Reason = []string{hostile}, hostile, hostile, hostile, hostile
	m.Links = []alert.Link{
		{Title: hostile, URL: "https://a.example/x>|y(z)?a=1&b=<c>"},
		{Title: "not a page", URL: "javascript:alert(1)"},
	}
	return m
}

const hostile = "<!channel> <!here|here> <@U123> <users/all> @everyone @here @all @channel <at>all</at> <b>bold</b> &amp; " +
	"*bold* _it_ ~no~ `code` [page](https://evil.example) # head \\ \x00\a \"quoted\" > quote"

// greatest has more of everything than any vendor takes, in characters of several bytes.
func greatest() alert.Message {
	long := strings.Repeat("é漢🙂&<>\"\\*", 2500)
	m := rolledBack()
	m.Text, m.Reason, m.Cluster, m.Namespace, m.Name, m.Target, m.Revision = long, "R"+long, long, long, long, long, long
	m.Thread += strings.Repeat("x", 1000)
	m.Check = &alert.Check{Name: long, Value: long, Baseline: long, Message: "so: " + long}
	m.Images, m.Links = nil, nil
	for i := range 60 {
		m.Images = append(m.Images, long)
		page := fmt.Sprintf("https://a.example/%d?q=%s", i, strings.Repeat("&x", 900))
		m.Links = append(m.Links, alert.Link{Title: long, URL: page})
	}
	return m
}

// storm is a digest of more than anybody reads.
func storm() alert.Message {
	d := digest()
	for i := range 300 {
		m := rolledBack()
		m.Reason, m.Text, m.Name = fmt.Sprintf("Reason%d", i), strings.Repeat("é漢🙂<", 200), strings.Repeat("x", 253)
		d.Digest = append(d.Digest, m)
	}
	return d
}
