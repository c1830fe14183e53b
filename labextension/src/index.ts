// What the active notebook's LLM calls cost, in JupyterLab's status bar, or in Notebook 7's top bar.
//
// The kernel opens a comm when nbtokens is loaded, and says what to show; nothing is worked out here. A page that was
// reloaded finds the comm that is there already, and asks.

import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookActions } from '@jupyterlab/notebook';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import { IStatusBar } from '@jupyterlab/statusbar';
import { Widget } from '@lumino/widgets';

const TARGET = 'nbtokens';
const PANEL = '%tokens live';

// What the kernel says: the text of the item, empty where there is nothing to show, and what it tells on hovering.
type Shown = { text: string; title: string };

const NOTHING: Shown = { text: '', title: '' };

function isShown(data: unknown): data is Shown {
  const shown = data as Partial<Shown> | null;
  return typeof shown?.text === 'string' && typeof shown?.title === 'string';
}

class Item extends Widget {
  constructor(onClick: () => void) {
    super({ node: document.createElement('button') });
    this.id = 'nbtokens-cost';
    this.addClass('jp-mod-highlighted');
    Object.assign(this.node.style, {
      background: 'none',
      border: 'none',
      color: 'inherit',
      cursor: 'pointer',
      font: 'inherit',
      padding: '0 8px',
      whiteSpace: 'nowrap'
    });
    this.node.addEventListener('click', onClick);
    this.show_(NOTHING);
  }

  show_(shown: Shown): void {
    this.node.textContent = shown.text;
    this.node.title = shown.title;
    this.node.setAttribute('aria-label', shown.title);
    // The status bar decides about `hidden` itself.
    this.node.style.display = shown.text ? '' : 'none';
  }
}

// Listens to the kernel of one notebook, whichever kernel that is.
class Listener {
  shown = NOTHING;
  private connected: Kernel.IKernelConnection | null = null;

  constructor(
    private readonly panel: NotebookPanel,
    private readonly onChange: () => void
  ) {
    const context = panel.sessionContext;
    context.kernelChanged.connect(() => this.connect());
    context.statusChanged.connect((_, status) => {
      if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
        this.show(NOTHING);
      }
    });
    void context.ready.then(() => this.connect());
  }

  private connect(): void {
    const kernel = this.panel.sessionContext.session?.kernel ?? null;
    if (kernel === this.connected) {
      return;
    }
    this.connected = kernel;
    this.show(NOTHING);
    if (kernel === null || !kernel.handleComms) {
      return;
    }
    kernel.registerCommTarget(TARGET, (comm, opened) => {
      this.listen(comm);
      this.take(opened.content.data);
    });
    void this.find(kernel);
  }

  // The comms that were opened before this page was: their kernel is asked for what it has told others already.
  private async find(kernel: Kernel.IKernelConnection): Promise<void> {
    const reply = await kernel.requestCommInfo({ target_name: TARGET });
    if (reply.content.status !== 'ok') {
      return;
    }
    for (const id of Object.keys(reply.content.comms)) {
      if (!kernel.hasComm(id)) {
        const comm = kernel.createComm(TARGET, id);
        this.listen(comm);
        comm.send({ ask: 'shown' });
      }
    }
  }

  private listen(comm: Kernel.IComm): void {
    comm.onMsg = (message: KernelMessage.ICommMsgMsg) => this.take(message.content.data);
    comm.onClose = () => this.show(NOTHING);
  }

  private take(data: unknown): void {
    if (isShown(data)) {
      this.show(data);
    }
  }

  private show(shown: Shown): void {
    this.shown = shown;
    this.onChange();
  }
}

// Run the panel's cell: the one that the notebook has already, else a new one below the active cell.
async function runPanel(panel: NotebookPanel): Promise<void> {
  const notebook = panel.content;
  const cells = notebook.model?.cells;
  if (!cells) {
    return;
  }
  const texts = Array.from(cells, cell => (cell.type === 'code' ? cell.sharedModel.getSource().trim() : ''));
  const there = texts.indexOf(PANEL);
  if (there >= 0) {
    notebook.activeCellIndex = there;
  } else {
    NotebookActions.insertBelow(notebook);
    notebook.activeCell?.model.sharedModel.setSource(PANEL);
  }
  notebook.deselectAll();
  if (notebook.activeCell) {
    await notebook.scrollToCell(notebook.activeCell);
  }
  await NotebookActions.run(notebook, panel.sessionContext);
}

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'nbtokens:cost',
  description: "Shows what the active notebook's LLM calls cost.",
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, tracker: INotebookTracker, statusBar: IStatusBar | null) => {
    const listeners = new WeakMap<NotebookPanel, Listener>();
    const item = new Item(() => {
      if (tracker.currentWidget) {
        void runPanel(tracker.currentWidget);
      }
    });
    const render = (): void => {
      const panel = tracker.currentWidget;
      item.show_((panel && listeners.get(panel)?.shown) ?? NOTHING);
    };
    const follow = (panel: NotebookPanel): void => {
      if (!listeners.has(panel)) {
        listeners.set(panel, new Listener(panel, render));
      }
    };
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, panel) => follow(panel));
    tracker.currentChanged.connect(render);
    if (statusBar) {
      statusBar.registerStatusItem('nbtokens:cost', { item, align: 'right', rank: 100 });
    } else {
      app.shell.add(item, 'top', { rank: 900 });
    }
  }
};

export default plugin;
