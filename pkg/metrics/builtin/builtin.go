// Package builtin is the list of providers that Weir brings along, and the queries of the metrics that
// need no template.
package builtin

import (
	"slices"
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/metrics"
	"weir.dev/weir/pkg/metrics/cloudwatch"
	"weir.dev/weir/pkg/metrics/datadog"
	"weir.dev/weir/pkg/metrics/dynatrace"
	"weir.dev/weir/pkg/metrics/externalmetrics"
	"weir.dev/weir/pkg/metrics/graphite"
	"weir.dev/weir/pkg/metrics/influxdb"
	"weir.dev/weir/pkg/metrics/newrelic"
	"weir.dev/weir/pkg/metrics/prometheus"
	"weir.dev/weir/pkg/metrics/splunk"
	"weir.dev/weir/pkg/metrics/stackdriver"
	"weir.dev/weir/pkg/metrics/web"
	"weir.dev/weir/pkg/outbound"
)

// New makes the provider that a MetricTemplate names, with the data of its Secret, nil where it names
// none. Where the template has no address, a Prometheus is asked at the given one, wherever that is; what a template has must
// be within reach. Nothing is asked yet. An error is of the kind Rejected.
func New(
	p v1beta1.MetricProvider, secret map[string][]byte, defaultAddress string, reach *outbound.Reach,
) (metrics.Provider, error) {
	kind, ok := kinds()[p.Type]
	if !ok {
		return nil, metrics.Rejectedf("there is no metric provider of type %q", p.Type)
	}
	t := template{spec: p, secret: secret, metricsServer: defaultAddress, reach: reach}
	if p.Type == "prometheus" && p.Address == "" {
		t.reach = nil
	}
	if err := kind.missing(t); err != nil {
		return nil, err
	}
	return kind.make(t)
}

// Prometheus is who answers the metrics of a Canary that need no template. Its Secret is in the Canary's namespace.
func Prometheus(canary *v1beta1.Canary) v1beta1.MetricProvider {
	p := v1beta1.MetricProvider{Type: "prometheus", Address: canary.Spec.MetricsServer}
	if ref := canary.Spec.MetricsServerSecretRef; ref != nil {
		p.SecretRef = &v1beta1.ProviderSecretRef{Name: ref.Name}
	}
	return p
}

// Check says what is wrong with a provider, as far as that can be told without its Secret.
func Check(p v1beta1.MetricProvider) error {
	const unknown = "http://unknown"
	kind, ok := kinds()[p.Type]
	var secret map[string][]byte
	if ok && p.SecretRef != nil {
		secret = map[string][]byte{}
		for _, key := range kind.keys[0] {
			secret[key] = []byte("0") // it is a number, too, where one is wanted
		}
	}
	_, err := New(p, secret, unknown, nil)
	return err
}

// kind is one type of provider.
type kind struct {
	// keys that a Secret must have, in each of the ways that will do.
	keys [][]string
	// open says that it may be asked without a Secret.
	open bool
	make func(template) (metrics.Provider, error)
}

// kinds is the list.
func kinds() map[string]kind {
	bearerOrBasic := [][]string{{"token"}, {"username", "password"}}
	return map[string]kind{
		"cloudwatch":      {[][]string{{"aws_access_key_id", "aws_secret_access_key"}}, true, newCloudWatch},
		"datadog":         {[][]string{{"datadog_api_key", "datadog_application_key"}}, false, newDatadog},
		"dynatrace":       {[][]string{{"dynatrace_token"}}, false, newDynatrace},
		"externalmetrics": {[][]string{{"token"}}, true, newExternalMetrics},
		"graphite":        {[][]string{{"username", "password"}}, true, newGraphite},
		"influxdb":        {[][]string{{"token"}}, false, newInfluxDB},
		"newrelic":        {[][]string{{"newrelic_account_id", "newrelic_query_key"}}, false, newNewRelic},
		"prometheus":      {bearerOrBasic, true, newPrometheus},
		"splunk":          {[][]string{{"sf_token_key"}}, false, newSplunk},
		"stackdriver":     {[][]string{{"project"}}, false, newStackdriver},
		"web":             {bearerOrBasic, true, newWeb},
	}
}

// template is what is known of the template that wants a provider.
type template struct {
	spec          v1beta1.MetricProvider
	secret        map[string][]byte
	metricsServer string
	reach         *outbound.Reach
}

func (t template) site() metrics.Site {
	return metrics.Site{
		Address: t.spec.Address, Headers: t.spec.Headers, InsecureSkipVerify: t.spec.InsecureSkipVerify,
		CA: t.secret[authority], Reach: t.reach,
	}
}

// key is a value of the Secret. A file that a Secret is made from often ends in a newline that is no part of what
// it holds.
func (t template) key(name string) string { return strings.TrimRight(string(t.secret[name]), "\r\n") }

// authority is the key of a Secret that has the certificates to trust, for every type.
const authority = "ca.crt"

// missing says which keys a Secret lacks. Where none is needed, one with certificates alone will do.
func (k kind) missing(t template) error {
	if t.spec.SecretRef == nil {
		if k.open {
			return nil
		}
		return metrics.Rejectedf("type %s answers nobody without credentials; set spec.provider.secretRef to a Secret with %s",
			t.spec.Type, strings.Join(k.keys[0], " and "))
	}
	var ways []string
	some := func(key string) bool { return t.key(key) != "" }
	if k.open && some(authority) && !slices.ContainsFunc(slices.Concat(k.keys...), some) {
		return nil
	}
	for _, keys := range k.keys {
		var missing []string
		for _, key := range keys {
			if t.key(key) == "" {
				missing = append(missing, key)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		ways = append(ways, strings.Join(missing, " and "))
	}
	return metrics.Rejectedf("Secret %s has no %s, which type %s needs; add it",
		t.spec.SecretRef.Name, strings.Join(ways, ", nor "), t.spec.Type)
}

// made keeps a typed nil from coming out as an interface that is not nil.
func made[P metrics.Provider](p P, err error) (metrics.Provider, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

func newCloudWatch(t template) (metrics.Provider, error) {
	if err := t.ownCredentials("aws_access_key_id", "aws_secret_access_key"); err != nil {
		return nil, err
	}
	return made(cloudwatch.New(cloudwatch.Config{
		Site: t.site(), Region: t.spec.Region, AccessKeyID: t.key("aws_access_key_id"),
		SecretAccessKey: t.key("aws_secret_access_key"), SessionToken: t.key("aws_session_token"),
	}))
}

// ownCredentials refuses an address where the Secret has no credentials: what Weir runs with goes to the cloud's own
// address, and to no other that somebody names.
func (t template) ownCredentials(keys ...string) error {
	if t.spec.Address == "" || t.key(keys[0]) != "" {
		return nil
	}
	return metrics.Rejectedf("the credentials that Weir runs with are not sent to spec.provider.address; remove it, or add %s to "+
		"the Secret of spec.provider.secretRef", strings.Join(keys, " and "))
}

func newDatadog(t template) (metrics.Provider, error) {
	return made(datadog.New(datadog.Config{
		Site: t.site(), APIKey: t.key("datadog_api_key"), ApplicationKey: t.key("datadog_application_key"),
	}))
}

func newDynatrace(t template) (metrics.Provider, error) {
	return made(dynatrace.New(dynatrace.Config{Site: t.site(), Token: t.key("dynatrace_token")}))
}

func newExternalMetrics(t template) (metrics.Provider, error) {
	return made(externalmetrics.New(externalmetrics.Config{Site: t.site(), Token: t.key("token")}))
}

func newGraphite(t template) (metrics.Provider, error) {
	return made(graphite.New(graphite.Config{Site: t.site(), Username: t.key("username"), Password: t.key("password")}))
}

func newInfluxDB(t template) (metrics.Provider, error) {
	return made(influxdb.New(influxdb.Config{Site: t.site(), Organization: t.key("org"), Token: t.key("token")}))
}

func newNewRelic(t template) (metrics.Provider, error) {
	return made(newrelic.New(newrelic.Config{
		Site: t.site(), AccountID: t.key("newrelic_account_id"), QueryKey: t.key("newrelic_query_key"),
	}))
}

func newPrometheus(t template) (metrics.Provider, error) {
	site := t.site()
	if site.Address == "" {
		site.Address = t.metricsServer
	}
	return made(prometheus.New(prometheus.Config{
		Site: site, Username: t.key("username"), Password: t.key("password"), Token: t.key("token"),
	}))
}

func newSplunk(t template) (metrics.Provider, error) {
	return made(splunk.New(splunk.Config{Site: t.site(), Token: t.key("sf_token_key")}))
}

func newStackdriver(t template) (metrics.Provider, error) {
	if err := t.ownCredentials("serviceAccountKey"); err != nil {
		return nil, err
	}
	return made(stackdriver.New(stackdriver.Config{
		Site: t.site(), Project: t.key("project"), ServiceAccountKey: t.key("serviceAccountKey"),
	}))
}

func newWeb(t template) (metrics.Provider, error) {
	return made(web.New(web.Config{
		Site: t.site(), Username: t.key("username"), Password: t.key("password"), Token: t.key("token"),
		Method: t.spec.Method, Value: t.spec.Value,
	}))
}
