//! Requests to the facilitator's HTTP API.

use super::World;
use serde_json::Value;

impl World {
    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.post_text(path, body.to_string()).await
    }

    pub async fn post_text(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, Value) {
        let url = format!("{}{path}", self.running().url);
        let request = self.http.post(url).header("content-type", "application/json").body(body);
        self.read("POST", path, request.send().await.unwrap()).await
    }

    /// Like [`Self::post`], by way of a proxy that forwards for this address.
    pub async fn post_from(&self, address: &str, path: &str, body: &Value) -> (u16, Value) {
        let url = format!("{}{path}", self.running().url);
        let request = self.http.post(url).header("x-forwarded-for", address).body(body.to_string());
        self.read("POST", path, request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.read("GET", path, self.http.get(format!("{}{path}", self.running().url)).send().await.unwrap()).await
    }

    /// Like [`Self::get`], with headers.
    pub async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let request = self.http.get(format!("{}{path}", self.running().url));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.read("GET", path, request.send().await.unwrap()).await
    }

    /// An answer, which is what `docs/openapi.json` says of this route.
    pub(super) async fn read(&self, method: &str, path: &str, response: reqwest::Response) -> (u16, Value) {
        let (status, body) = read(response).await;
        crate::openapi::check_answer_at(path, method, status, &body);
        (status, body)
    }
}

async fn read(response: reqwest::Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    // Every answer of the API is typed JSON, whatever went wrong.
    (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {status} {text}")))
}
