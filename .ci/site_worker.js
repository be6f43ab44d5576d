// Browsers refuse workers on file:// pages; there an iframe does the work.
if (location.protocol === "file:") window.Worker = class extends EventTarget {
  constructor(url) {
    super()
    const frame = Object.assign(document.createElement("iframe"), {hidden: true})
    document.documentElement.append(frame)
    this.inside = frame.contentWindow
    this.waiting = []
    this.inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", {data}))
    const script = Object.assign(frame.contentDocument.createElement("script"), {src: url})
    script.onload = () => { for (const send of this.waiting) send(); this.waiting = null }
    frame.contentDocument.body.append(script)
  }
  postMessage(data) {
    const send = () => this.inside.dispatchEvent(new this.inside.MessageEvent("message", {data}))
    this.waiting ? this.waiting.push(send) : send()
  }
}
