#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_HTTP_ROUTE_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_HTTP_ROUTE_H_

#include <functional>
#include <string>

namespace kantoku::platform {

// What somebody asks the program's web server, which only its own computer reaches.
struct HttpRequest {
  std::string method;         // "GET" or "POST".
  std::string content_type;   // The header; empty: none.
  std::string authorization;  // Likewise.
  std::string body;           // Of a POST, at most 64 KiB.
  std::string host;           // Where it comes from: "127.0.0.1".
  std::string server_url;     // Where the server listens: "http://127.0.0.1:6331".
};

struct HttpReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string headers;  // More of them, each line with its "\r\n".
};

// Something that a module says over HTTP, under one path. `answer` is called on several threads at
// once and may block for some seconds.
struct HttpRoute {
  std::string path;  // "/oauth/token".
  std::function<HttpReply(const HttpRequest&)> answer;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_HTTP_ROUTE_H_
