import { useMediaQuery } from '@mantine/hooks';
import { OctagonPause } from 'lucide-react';
import { useEffect } from 'react';
import { useWords } from '@/i18n';
import { loadDetail, loadParked } from '@/store/parked';
import { useRoute } from '@/store/route';
import { Empty } from '@/ui/empty';
import { Keys, Sentence } from '@/ui/keys';
import { CauseColumn } from './cause-column';
import { DetailPane } from './detail-pane';
import classes from './parked-view.module.css';

/** Below this the list and the message do not fit side by side. */
const SINGLE = '(max-width: 900px)';

/** What could not go on: causes on the left, one message on the right. */
export function ParkedView({ menu }: { menu: boolean }) {
  const { parked: id } = useRoute();
  const single = useMediaQuery(SINGLE, false, { getInitialValueInEffect: false });
  useEffect(() => {
    void loadParked();
  }, []);
  useEffect(() => {
    if (id !== null) void loadDetail(id);
  }, [id]);
  return (
    <main id="main" tabIndex={-1} className={classes.view} data-testid="parked">
      {(!single || id === null) && <CauseColumn menu={menu} open={id} alone={single} />}
      {id !== null && <DetailPane key={id} id={id} alone={single} />}
      {id === null && !single && <Pick />}
    </main>
  );
}

function Pick() {
  const { t } = useWords();
  return (
    <div className={classes.pick}>
      <Empty icon={OctagonPause} title={t('parked.pick')}>
        <Sentence
          text={t('parked.pickHint')}
          parts={{ j: <Keys of="J" />, k: <Keys of="K" />, enter: <Keys of="Enter" /> }}
        />
      </Empty>
    </div>
  );
}
