package stage

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"text/template"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"weir.dev/weir/e2e/sandbox"
	"weir.dev/weir/pkg/apis/weir/v1beta1"
	"weir.dev/weir/pkg/workload"
)

// Application is podinfo with all that a user has for it before Weir comes: a Deployment, or a target of another
// kind, a Service, and a route of its HTTP. It answers calls of gRPC, too.
type Application struct {
	Stage     *Stage
	Namespace string
	// Kind of the target; Deployment where it is empty.
	Kind string
	// Name of the target, the Service and the route.
	Name string
	// Host that the route answers to.
	Host     string
	Replicas int
	// Port that the Canary names, and its name; the one of HTTP where they are empty.
	Port     int
	PortName string
	// Faulty is when a version was first asked for that fails requests by itself; zero where none was.
	Faulty time.Time
}

// Version is what a user changes of the Deployment's template.
type Version struct {
	// Label is shown by the application as its message, and makes one template differ from another.
	Label string
	// Image defaults to podinfo's first.
	Image string
	// Program that the image has; podinfo where it is empty.
	Program string
	// Args are added to the command. With --random-error podinfo fails requests by itself.
	Args []string
	// Pull is the imagePullPolicy; Never where it is empty.
	Pull string
	// OpenPort makes readiness a matter of the open port alone. podinfo's --random-error fails its readiness
	// path along with all others, and a pod that says of itself that it is not ready gets no request.
	OpenPort bool
	// ConfigMap, where it is named, is the container's environment.
	ConfigMap string
}

const applicationYAML = `apiVersion: v1
kind: Namespace
metadata:
  name: {{.Namespace}}
---
{{template "target" .}}
---
apiVersion: v1
kind: Service
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
spec:
  selector:
    app: {{.Name}}
  ports:
  - name: http
    port: 9898
    targetPort: http
  - name: grpc
    port: 9999
    targetPort: grpc
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
spec:
  parentRefs:
  - name: {{.Gateway.Name}}
    namespace: {{.Gateway.Namespace}}
  hostnames: [{{.Host}}]
  rules:
  - backendRefs:
    - name: {{.Name}}
      port: 9898
{{define "target"}}apiVersion: apps/v1
kind: {{.Kind}}
metadata:
  name: {{.Name}}
  namespace: {{.Namespace}}
spec:
  {{- if and .Replicas (ne .Kind "DaemonSet")}}
  replicas: {{.Replicas}}
  {{- end}}
  {{- if eq .Kind "StatefulSet"}}
  serviceName: {{.Name}}
  {{- end}}
  selector:
    matchLabels:
      app: {{.Name}}
  template:
    metadata:
      labels:
        app: {{.Name}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "9898"
    spec:
      {{- if eq .Kind "DaemonSet"}}
      tolerations:
      - operator: Exists
      {{- end}}
      containers:
      - name: podinfo
        {{- if ne .Kind "Deployment"}}
        lifecycle: # a pod that is replaced in place goes on answering until everybody knows that it goes
          preStop:
            sleep:
              seconds: 3
        {{- end}}
        image: {{.Version.Image}}
        imagePullPolicy: {{.Version.Pull}}
        command: [{{printf "%q" .Version.Program}}]
        args: ["--port=9898", "--grpc-port=9999", "--level=warn"{{range .Version.Args}}, {{printf "%q" .}}{{end}}]
        env:
        - name: PODINFO_UI_MESSAGE
          value: {{printf "%q" .Version.Label}}
        {{- if .Version.ConfigMap}}
        envFrom:
        - configMapRef:
            name: {{.Version.ConfigMap}}
        {{- end}}
        ports:
        - name: http
          containerPort: 9898
        - name: grpc
          containerPort: 9999
        readinessProbe:
          {{- if .Version.OpenPort}}
          tcpSocket:
            port: http
          {{- else}}
          httpGet:
            path: /readyz
            port: http
          {{- end}}
          periodSeconds: 1
{{end}}`

// Deploy applies the application as a user does, and returns when it serves.
func (a *Application) Deploy(ctx context.Context, v Version) error {
	if err := a.apply(ctx, "", v); err != nil {
		return err
	}
	_, err := a.Stage.Kubectl(ctx, "-n", a.Namespace, "rollout", "status", a.kind()+"/"+a.Name, "--timeout=90s")
	return err
}

// Release applies the target alone, with another template.
func (a *Application) Release(ctx context.Context, v Version) error {
	return a.apply(ctx, "target", v)
}

func (a *Application) kind() string {
	if a.Kind == "" {
		return v1beta1.KindDeployment
	}
	return a.Kind
}

// Manifests are those of the application as a user has them in Git.
func (a *Application) Manifests(v Version) ([]byte, error) { return a.manifests("", v) }

func (a *Application) apply(ctx context.Context, part string, v Version) error {
	manifests, err := a.manifests(part, v)
	if err != nil {
		return err
	}
	return sandbox.Apply(ctx, a.Stage.Sandbox.RESTConfig(), manifests)
}

func (a *Application) manifests(part string, v Version) ([]byte, error) {
	if v.Image == "" {
		v.Image = sandbox.PodinfoImage
	}
	if v.Program == "" {
		v.Program = "/podinfo"
	}
	if v.Pull == "" {
		v.Pull = "Never"
	}
	if a.Faulty.IsZero() && slices.Contains(v.Args, "--random-error") {
		a.Faulty = time.Now()
	}
	t, err := template.New("").Parse(applicationYAML)
	if err != nil {
		return nil, fmt.Errorf("reading the application's manifests: %w", err)
	}
	var manifests bytes.Buffer
	err = t.ExecuteTemplate(&manifests, part, map[string]any{
		"Namespace": a.Namespace, "Kind": a.kind(), "Name": a.Name, "Host": a.Host, "Replicas": a.Replicas,
		"Gateway": a.Stage.Sandbox.Gateway, "Version": v,
	})
	if err != nil {
		return nil, fmt.Errorf("writing the application's manifests: %w", err)
	}
	return manifests.Bytes(), nil
}

// Remove deletes the namespace and waits until it is gone.
func (a *Application) Remove(ctx context.Context) error {
	_, err := a.Stage.Kubectl(ctx, "delete", "namespace", a.Namespace, "--ignore-not-found", "--timeout=120s")
	return err
}

// Pods are the UIDs of the application's pods that are not on their way out, by the label that tells one revision's
// from another's, and how often their containers were restarted.
func (a *Application) Pods(ctx context.Context) (map[string][]string, int, error) {
	pods, err := a.Stage.Kube.CoreV1().Pods(a.Namespace).List(ctx, metav1.ListOptions{LabelSelector: "app=" + a.Name})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, 0, fmt.Errorf("listing pods: %w", err)
	}
	byHash, restarts := map[string][]string{}, 0
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		hash := pod.Labels[workload.PinLabel(a.kind())]
		byHash[hash] = append(byHash[hash], string(pod.UID))
		for _, c := range pod.Status.ContainerStatuses {
			restarts += int(c.RestartCount)
		}
	}
	return byHash, restarts, nil
}
