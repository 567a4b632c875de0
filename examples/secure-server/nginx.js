/** What stands in front: TLS, bounds on sizes and times, and what the application is told of the connection. */

import { tlsOptions } from "sealwire/adapters/node"

/** For what nginx answers itself, such as 413 or 502: everything else brings its own. */
const HEADERS = {
  "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
  "Content-Security-Policy":
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-XSS-Protection": "0",
  "Cache-Control": "no-store",
}

/** @param {string} name */
const variable = (name) => name.toLowerCase().replaceAll("-", "_")

/** `add_header` adds to what an answer has; an empty value adds nothing. So no header is there twice, and none over plain HTTP. */
const maps = Object.entries(HEADERS).map(
  ([name, value]) =>
    `map "$https:$upstream_http_${variable(name)}" $own_${variable(name)} { "on:" "${value}"; default ""; }`,
)
const addHeaders = Object.keys(HEADERS).map((name) => `add_header ${name} $own_${variable(name)} always;`)

/** The suites of TLS 1.2 that have forward secrecy and an AEAD; all of TLS 1.3 have. */
const suites = tlsOptions()
  .ciphers.split(":")
  .filter((suite) => !suite.startsWith("TLS_"))

/** @param {string} folder */
const temporary = (folder) =>
  ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((each) => `${each}_temp_path ${folder}/${each};`)

/**
 * @param {{ folder: string, port: number, appPort: number, certificate: string, key: string }} options
 */
export const nginxConfig = ({ folder, port, appPort, certificate, key }) => `
daemon off;
${process.getuid?.() === 0 ? "user nobody nogroup;" : ""}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 512; }
http {
  ${temporary(folder).join("\n  ")}
  access_log off;
  server_tokens off;

  # slow clients and long requests
  client_header_timeout 10s;
  client_body_timeout 10s;
  send_timeout 10s;
  keepalive_timeout 30s;
  reset_timedout_connection on;
  client_max_body_size 1m;
  # a sealed GET has its envelope in a header of up to 7 KiB, and so has an answer without a body
  large_client_header_buffers 4 16k;
  proxy_buffer_size 16k;
  proxy_buffers 8 16k;
  proxy_max_temp_file_size 0;

  # floods; what a client may ask is the application's to limit
  limit_req_zone $binary_remote_addr zone=flood:1m rate=50r/s;
  limit_req zone=flood burst=100 nodelay;
  limit_req_status 429;
  limit_conn_zone $binary_remote_addr zone=open:1m;
  limit_conn open 64;
  limit_conn_status 429;

  ${maps.join("\n  ")}
  ${addHeaders.join("\n  ")}

  upstream app { server 127.0.0.1:${appPort}; keepalive 16; }

  server {
    listen 127.0.0.1:${port} ssl http2;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers ${suites.join(":")};
    ssl_prefer_server_ciphers on;
    ssl_ecdh_curve X25519:prime256v1:secp384r1;
    ssl_session_cache shared:tls:1m;
    ssl_session_timeout 10m;
    # a ticket's key would have to be rotated, or it opens what was recorded
    ssl_session_tickets off;

    # plain HTTP is refused, not redirected: it has been seen by then
    error_page 497 = @plain;
    location @plain { return 403; }

    location / {
      proxy_pass http://app;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host 127.0.0.1:${port};
      # set, not appended: what the client says of itself ends here
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host "";
      proxy_set_header X-Real-IP "";
      proxy_set_header Forwarded "";
      proxy_connect_timeout 2s;
      proxy_send_timeout 10s;
      proxy_read_timeout 30s;
      proxy_next_upstream off;
    }
  }
}
`
