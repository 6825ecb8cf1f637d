// The door of the metrics room: what the gateway counts about itself, as text for Prometheus.
export { createMetrics, type GatewayMetrics, METRICS_TYPE, type MetricSources } from './gateway.ts';
export { type Health, type HealthSources, healthOf, readinessOf } from './health.ts';
export { lastingMetrics, mergeMetrics } from './merge.ts';
export { Counter, Family, Histogram, Registry, type Sample } from './registry.ts';
