package rights

import (
	"strings"

	"weir.dev/weir/pkg/apis/weir/v1beta1"
)

const (
	template = `apiVersion: weir.dev/v1beta1
kind: MetricTemplate
metadata: {name: good, namespace: $NAMESPACE}
spec:
  provider: {type: prometheus, address: $OUTSIDE/$VERDICT}
  query: good
---
`
	canary = `apiVersion: weir.dev/v1beta1
kind: Canary
metadata: {name: app, namespace: $NAMESPACE}
spec:
`
	service = `---
apiVersion: v1
kind: Service
metadata: {name: app, namespace: $NAMESPACE}
spec:
  selector: {app: app}
  ports: [{name: web, port: 80, targetPort: 8080}]
`
	pods = `
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      tolerations: [{operator: Exists}] # nobody tells of the nodes, which are taken for lost after a while
      containers:
      - {name: app, image: "app:$VERSION"}
`
	deployment = `apiVersion: apps/v1
kind: Deployment
metadata: {name: app, namespace: $NAMESPACE}
spec:
  replicas: 2` + pods + service
	statefulSet = `apiVersion: apps/v1
kind: StatefulSet
metadata: {name: app, namespace: $NAMESPACE}
spec:
  serviceName: app
  replicas: 2` + pods + service
	daemonSet = `apiVersion: apps/v1
kind: DaemonSet
metadata: {name: app, namespace: $NAMESPACE}
spec:` + pods + service
)

// The specs of Canaries: target, service and analysis.
const (
	ofDeployment  = "  targetRef: {name: app}\n"
	ofStatefulSet = "  targetRef: {kind: StatefulSet, name: app}\n"
	ofDaemonSet   = "  targetRef: {kind: DaemonSet, name: app}\n"

	onPort = "  service: {port: 80, settle: 200ms}\n"

	plan = `  analysis:
    interval: 1s
    stepWeights: [50]
    metrics: [{name: good, templateRef: {name: good}, thresholdRange: {min: 99}}]
`
	planned = ofDeployment + onPort + plan
)

// ingress is the user's.
const ingress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: $NAMESPACE}
spec:
  rules:
  - host: app.test
    http:
      paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]
`

// lives are those of each overlay and component: each way in which the operator comes to write another kind of objects.
func lives() map[string][]life {
	onGateway := ofDeployment + "  service: {port: 80, settle: 200ms, gatewayRefs: [{name: gateway}]}\n" + plan
	calls := ofDeployment + "  service: {port: 80, settle: 200ms, portName: grpc, gatewayRefs: [{name: gateway}]}\n" + plan
	byIngress := "  ingressRef: {name: web}\n" + planned
	return map[string][]life{
		bare:        bareLives(),
		"admission": {{name: "deployment", target: deployment, live: whole, canary: planned}},
		"shards":    {{name: "deployment", target: deployment, live: whole, canary: planned}},
		"apisix": {{name: "route", target: deployment, live: whole, canary: `  routeRef:
    {apiVersion: apisix.apache.org/v2, kind: ApisixRoute, name: web}
` + planned, beside: `apiVersion: apisix.apache.org/v2
kind: ApisixRoute
metadata: {name: web, namespace: $NAMESPACE}
spec:
  ingressClassName: apisix
  http:
  - name: web
    match: {hosts: [app.test], paths: ["/*"]}
    backends: [{serviceName: app, servicePort: 80}]
---
apiVersion: apisix.apache.org/v2
kind: ApisixUpstream
metadata: {name: app, namespace: $NAMESPACE}
spec: {ingressClassName: apisix, scheme: http, retries: 2}
`}},
		"contour": {{name: "route", target: deployment, live: whole, canary: planned}},
		"gatewayapi": {
			{name: "requests", target: deployment, live: whole, canary: onGateway},
			{name: "calls", target: deployment, live: whole, canary: calls},
		},
		"gloo": {{name: "route", target: deployment, live: whole, canary: planned}},
		"istio": {{name: "route", target: deployment, live: whole, canary: ofDeployment + `  service:
    port: 80
    settle: 200ms
    trafficPolicy: {outlierDetection: {consecutive5xxErrors: 5}}
` + plan}},
		"knative": {{name: "service", live: whole, canary: `  targetRef: {apiVersion: serving.knative.dev/v1, kind: Service, name: app}
` + onPort + plan, target: `apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: app, namespace: $NAMESPACE}
spec:
  template: {spec: {containers: [{image: "app:$VERSION"}]}}
`}},
		"kuma": {{name: "route", live: whole, canary: planned,
			target: strings.Replace(deployment, "name: web,", "name: web, appProtocol: http,", 1)}},
		"linkerd": {
			{name: "requests", target: deployment, live: whole, canary: planned},
			{name: "calls", target: deployment, live: whole,
				canary: ofDeployment + "  service: {port: 80, settle: 200ms, portName: grpc}\n" + plan},
		},
		"nginx":   {{name: "ingress", target: deployment, beside: ingress, live: whole, canary: byIngress}},
		"skipper": {{name: "ingress", target: deployment, beside: ingress, live: whole, canary: byIngress}},
		"smi": {
			{name: "route", target: deployment, live: whole, canary: planned},
			{name: "named", target: deployment, live: whole, canary: `  routeRefs:
  - {apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, name: web}
` + planned, beside: `apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: web, namespace: $NAMESPACE}
spec:
  service: web
  backends: [{service: app, weight: 80}, {service: legacy, weight: 20}]
`},
		},
		"traefik": {{name: "mirrored", target: deployment, live: whole, canary: ofDeployment + onPort + `  analysis:
    interval: 1s
    steps: [{mirror: true}, {weight: 50}]
    mirrorWeight: 20
    metrics: [{name: good, templateRef: {name: good}, thresholdRange: {min: 99}}]
`}},
	}
}

// bareLives are those that need no rights but the base's, and, with them, ClusterRoles that are bound to nobody.
func bareLives() []life {
	const told = `    alerts:
    - {name: one, providerRef: {name: channel}}
    - {name: all, providerRef: {kind: ClusterAlertProvider, name: rights}}
`
	configured := strings.Replace(deployment, `"app:$VERSION"`, `"app:$VERSION", envFrom: [
        {configMapRef: {name: app}}, {secretRef: {name: app}}]`, 1)
	return []life{
		{name: "deployment", target: deployment, canary: planned + told, live: alerted, beside: `apiVersion: weir.dev/v1beta1
kind: AlertProvider
metadata: {name: channel, namespace: $NAMESPACE}
spec: {type: webhook, address: $OUTSIDE/alerts}
---
apiVersion: weir.dev/v1beta1
kind: ClusterAlertProvider
metadata: {name: rights}
spec: {type: webhook, address: $OUTSIDE/alerts}
`},
		{name: "statefulset", target: statefulSet, canary: ofStatefulSet + onPort + plan, live: whole},
		{name: "daemonset", target: daemonSet, canary: ofDaemonSet + onPort + plan, live: whole},
		{name: "annotated-deployment", target: deployment, live: annotated(v1beta1.KindDeployment)},
		{name: "annotated-statefulset", target: statefulSet, live: annotated(v1beta1.KindStatefulSet)},
		{name: "annotated-daemonset", target: daemonSet, live: annotated(v1beta1.KindDaemonSet)},
		{name: "secrets", target: configured, binds: []string{"weir-secrets", "weir-config"}, live: alerted,
			canary: "  configTracking: Restart\n" + planned + `    alerts: [{name: one, providerRef: {name: channel}}]
`, beside: `apiVersion: weir.dev/v1beta1
kind: AlertProvider
metadata: {name: channel, namespace: $NAMESPACE}
spec: {type: webhook, address: $OUTSIDE/alerts, secretRef: {name: app}}
---
apiVersion: v1
kind: Secret
metadata: {name: app, namespace: $NAMESPACE}
stringData: {hmacKey: "0123456789abcdef0123456789abcdef"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: app, namespace: $NAMESPACE}
data: {a: b}
`},
	}
}
